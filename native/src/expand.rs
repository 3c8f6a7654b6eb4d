//! `$NAME` and `${NAME}` in an argument, from the environment.

use deltalakedb_core::{Error, Result};

/// Replaces the variables of `text` by what `lookup` knows; `what` is the argument's name for errors.
/// Values do not appear in errors: they may be secret.
pub(crate) fn expand(what: &str, text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, after) = if let Some(braced) = rest.strip_prefix('{') {
            braced
                .split_once('}')
                .ok_or_else(|| Error::invalid(format!("{what}: a `${{` has no `}}`")).hint("write ${NAME}"))?
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            rest.split_at(end)
        };
        if name.is_empty() {
            out.push('$');
        } else {
            let value = lookup(name).ok_or_else(|| {
                Error::invalid(format!("{what}: the environment has no variable `{name}`"))
                    .hint(format!("set {name}, or leave the $ out"))
            })?;
            out.push_str(&value);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// [`expand`] with the process's environment.
pub(crate) fn expand_env(what: &str, text: &str) -> Result<String> {
    expand(what, text, |name| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let lookup = |name: &str| (name == "DIR").then(|| "/data".to_owned());
        let check = |text: &str| expand("--database", text, lookup).map_err(|error| error.to_string());
        assert_eq!(check("$DIR/x.db"), Ok("/data/x.db".into()));
        assert_eq!(check("${DIR}x.db"), Ok("/datax.db".into()));
        assert_eq!(check("a$/b"), Ok("a$/b".into()));
        assert_eq!(check("$NO"), Err("--database: the environment has no variable `NO`".into()));
        assert_eq!(check("${DIR"), Err("--database: a `${` has no `}`".into()));
    }
}
