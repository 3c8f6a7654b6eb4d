//! Where logs and tables are, as arguments, in the catalog and in messages.

use std::path::{Component, Path};

use deltalakedb_core::{Error, Result};
use url::Url;

use crate::expand::expand_env;

/// A table's location as the catalog keeps it: an URL without credentials and without a slash at its end.
pub(crate) fn parse_table_location(argument: &str) -> Result<String> {
    let mut url = parse_location("--table-location", argument)?;
    without_secrets(&mut url);
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A folder that a log is mirrored to, likewise; the log itself may be named.
pub(crate) fn parse_target(argument: &str) -> Result<String> {
    let mut url = parse_location("--target", argument)?;
    super::client::check_scheme("--target", &url)?;
    without_secrets(&mut url);
    let text = url.as_str().trim_end_matches('/');
    if url.scheme() == "file" && matches!(url.path(), "/" | "/_delta_log") {
        return Err(
            Error::invalid(format!("--target: {text}/ is the root of all folders")).hint("name a table's folder")
        );
    }
    if url.path().contains("/_delta_log/") {
        return Err(Error::invalid(format!("--target: {text} is inside of a log")).hint("name a table's folder"));
    }
    Ok(text.strip_suffix("/_delta_log").unwrap_or(text).trim_end_matches('/').to_owned())
}

/// Where Azure's URLs have the container.
const CONTAINER_AS_USER: [&str; 4] = ["abfs", "abfss", "wasb", "wasbs"];

/// Takes user, password and query out. An URL that can have none stays as it is.
pub(super) fn without_secrets(url: &mut Url) {
    let _ = url.set_password(None);
    if !CONTAINER_AS_USER.contains(&url.scheme()) {
        let _ = url.set_username("");
    }
    url.set_query(None);
    url.set_fragment(None);
}

/// A path or URL as an URL without a slash at its end; variables of the environment are filled in.
pub(super) fn parse_location(what: &str, argument: &str) -> Result<Url> {
    let expanded = expand_env(what, argument)?;
    let invalid = |reason: String| {
        Error::invalid(format!("{what}: {} is not a place for a log: {reason}", shown(argument)))
            .hint("write a folder, or an URL such as file:///path, s3://bucket/path")
    };
    // A folder has one URL, however it is written.
    let of_path = |path: &Path| {
        let absolute = std::path::absolute(path).map_err(|error| invalid(error.to_string()))?;
        let absolute = absolute.canonicalize().unwrap_or(absolute);
        Url::from_file_path(&absolute).map_err(|()| invalid("it is no path".into()))
    };
    if let Some((scheme, rest)) = expanded.split_once(":/")
        && scheme != "file"
        && !rest.starts_with('/')
        && Url::parse(&format!("{scheme}://bucket/")).is_ok_and(|url| super::client::check_scheme(what, &url).is_ok())
    {
        return Err(invalid(format!("{scheme}: is followed by one slash")));
    }
    let mut url = match Url::parse(&expanded) {
        // A drive letter or a plain name with a colon is no scheme.
        Ok(url) if expanded.contains("://") || expanded.starts_with("file:/") => match url.to_file_path() {
            Ok(path) if url.scheme() == "file" && url.query().is_none() && url.fragment().is_none() => of_path(&path)?,
            _ => url,
        },
        Err(error) if is_url(&expanded) => return Err(invalid(error.to_string())),
        _ if expanded.is_empty() || expanded.contains('\0') => return Err(invalid("it is no path".into())),
        _ => of_path(Path::new(&expanded))?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("nothing may follow ? or # in it".into()));
    }
    let trimmed = url.path().trim_end_matches('/').to_owned();
    url.set_path(&trimmed);
    Ok(url)
}

/// The name of an object may have folders in it, but leads nowhere out of the log.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && !part.chars().any(char::is_control);
    let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside && name.split('/').all(is_plain) {
        return Ok(());
    }
    Err(Error::corrupt(format!("`{}` names no object of a log", name.escape_debug())))
}

/// Whether a text is meant as an URL: a scheme, then `://`.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'))
}

/// An argument in a message: without what may be secret in an URL, and not too long.
pub(super) fn shown(argument: &str) -> String {
    let before_query = argument.split_once('?').map_or(argument, |(before, _)| before);
    let public = match (before_query.split_once("://"), before_query.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => before_query.to_owned(),
    };
    let mut short: String = public.chars().take(200).flat_map(char::escape_debug).collect();
    if short.len() < public.len() && public.chars().count() > 200 {
        short.push('…');
    }
    short
}

/// A store's message without what may be secret in its URLs: user, password and query.
pub(super) fn redacted(text: &str) -> String {
    let word = |word: &str| {
        let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
        let rest = rest.split('?').next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{scheme}://{host}/{path}")
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
