use std::fmt;

use twox_hash::XxHash3_128;

use crate::action::Action;

/// What a request wants to change: the sum of its actions' hashes (XXH3, 128 bits), whatever their order. What the commit
/// says of itself does not count. Stored with a commit, so that a commit id that is used for another one is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    pub(super) fn of(actions: &[Action]) -> Self {
        let mut digest = Digest::default();
        actions.iter().for_each(|action| digest.insert(action));
        digest
    }

    pub(super) fn insert(&mut self, action: &Action) {
        if !matches!(action, Action::CommitInfo(_)) {
            self.0 = self.0.wrapping_add(XxHash3_128::oneshot(action.to_json().as_bytes()));
        }
    }
}

/// 32 hexadecimal digits, as it is stored.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
