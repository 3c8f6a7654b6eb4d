use twox_hash::XxHash3_128;

use crate::action::Action;

/// What a request wants to change, in 32 hexadecimal digits: the sum of its actions' hashes (XXH3, 128 bits), whatever
/// their order. What the commit says of itself does not count. Stored with a commit, so that a commit id that is used
/// for another one is noticed.
pub(super) fn request_digest(actions: &[Action]) -> String {
    let sum = actions
        .iter()
        .filter(|action| !matches!(action, Action::CommitInfo(_)))
        .fold(0_u128, |sum, action| sum.wrapping_add(XxHash3_128::oneshot(action.to_json().as_bytes())));
    format!("{sum:032x}")
}
