pub fn num_records(_stats: &str) -> Option<i64> { None }
