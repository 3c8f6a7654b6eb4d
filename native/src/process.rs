//! Which process it was that left something behind, and whether it is gone.

use std::fs;
use std::hash::Hasher;

use twox_hash::XxHash3_64;

/// A process, as others that can see it know it again: `<space>-<number>-<start>`, where processes of one space have
/// different numbers, and the start tells one from a later one of its number. Only on Linux; elsewhere nobody is gone.
///
/// A space is a process namespace between two starts of a machine: containers have numbers of their own, and a shared name
/// of the host says nothing of whether one sees the other.
pub(crate) fn own_process() -> String {
    format!("{:x}-{}-{}", own_space().unwrap_or(0), std::process::id(), started("self").unwrap_or(0))
}

/// Whether `process` ran where this one runs, and has ended.
pub(crate) fn is_gone(process: &str) -> bool {
    let mut parts = process.split('-');
    let (Some(space), Some(number), Some(start), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // The first process is always there; who does not see it may not see others either (`hidepid`, proc(5)).
    let is_near = own_space().is_some_and(|own| u64::from_str_radix(space, 16) == Ok(own)) && started("1").is_some();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_near && is_number && started(number).map(|started| started.to_string()).as_deref() != Some(start)
}

fn own_space() -> Option<u64> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let mut hasher = XxHash3_64::new();
    hasher.write(boot.as_bytes());
    hasher.write(namespace.as_os_str().as_encoded_bytes());
    Some(hasher.finish())
}

/// When a process began, in ticks since the machine did (field 22 of `/proc/<number>/stat`, proc(5)).
fn started(number: &str) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    // A zombie has ended; only its parent has not looked yet.
    let mut fields = fields.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone() {
        let own = own_process();
        assert!(!is_gone(&own), "{own}");
        let (space, rest) = own.split_once('-').unwrap();
        let (number, start) = rest.split_once('-').unwrap();
        assert!(start.parse::<u64>().unwrap() > 0);
        assert!(is_gone(&format!("{space}-4194305-{start}")), "beyond the last process number");
        assert!(is_gone(&format!("{space}-{number}-1")), "an earlier one of that number");
        for unknown in
            [format!("1{space}-4194305-1"), "oddly-named".to_owned(), format!("{space}-../self-1"), String::new()]
        {
            assert!(!is_gone(&unknown), "{unknown}: nobody knows");
        }
    }

    #[test]
    fn one_that_was_killed_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process =
            format!("{:x}-{}-{}", own_space().unwrap(), child.id(), started(&child.id().to_string()).unwrap());
        assert!(!is_gone(&process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&process));
    }
}
