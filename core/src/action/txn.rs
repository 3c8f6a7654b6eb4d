use super::wire::wire_struct;

wire_struct! {
    /// `txn`: how far an application has come (protocol section "Transaction Identifiers").
    Txn as "txn" {
        /// The application.
        required app_id: String = "appId",
        /// The application's own version.
        required version: i64 = "version",
        /// Milliseconds since the epoch.
        optional last_updated: i64 = "lastUpdated",
    }
}
