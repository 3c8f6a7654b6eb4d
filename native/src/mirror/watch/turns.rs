//! Targets that wait for their turn.

use std::collections::{HashMap, VecDeque};

use deltalakedb_core::mirror::Target;

/// Targets by their stores, as one that is slow or does not answer must not hold up those of others.
pub(super) struct Turns {
    /// So many of a store have their turn at the same time.
    at_once: usize,
    stores: HashMap<String, Store>,
}

#[derive(Default)]
struct Store {
    waiting: VecDeque<Target>,
    running: usize,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Turns { at_once, stores: HashMap::new() }
    }

    /// Has a target wait.
    pub(super) fn push(&mut self, target: Target) {
        self.stores.entry(store_of(&target).to_owned()).or_default().waiting.push_back(target);
    }

    /// A target whose turn it is until [`done`](Self::done).
    pub(super) fn next(&mut self) -> Option<Target> {
        let mut free = self.stores.values_mut().filter(|store| store.running < self.at_once);
        free.find_map(|store| {
            let target = store.waiting.pop_front()?;
            store.running += 1;
            Some(target)
        })
    }

    /// Its turn is over.
    pub(super) fn done(&mut self, target: &Target) {
        if let Some(store) = self.stores.get_mut(store_of(target)) {
            store.running = store.running.saturating_sub(1);
        }
    }
}

/// What of an address names the store: all before the path.
fn store_of(target: &Target) -> &str {
    let url = &target.url;
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_store_has_its_own() {
        let target = |url: &str| Target { table: 1, url: url.to_owned() };
        let mut turns = Turns::new(2);
        for url in ["s3://slow/1", "s3://slow/2", "s3://slow/3", "file:///a/b", "s3://fast"] {
            turns.push(target(url));
        }
        let mut urls: Vec<_> = std::iter::from_fn(|| turns.next()).map(|target| target.url).collect();
        urls.sort();
        assert_eq!(urls, ["file:///a/b", "s3://fast", "s3://slow/1", "s3://slow/2"]);
        turns.done(&target("s3://fast"));
        assert_eq!(turns.next(), None);
        turns.done(&target("s3://slow/2"));
        assert_eq!(turns.next(), Some(target("s3://slow/3")));
    }
}
