//! What a store's failure means: whether to try again, and what to tell.

use std::error::Error as StdError;

use deltalakedb_core::{Error, ErrorKind};
use object_store::client::{HttpError, HttpErrorKind};
use url::Url;

use super::kind::Kind;
use super::location::redacted;
use super::retry::MAX_RETRIES;

/// The services that give the credentials of a machine in a cloud; they are asked when no others are set.
const CREDENTIAL_SERVICES: [&str; 4] =
    ["/latest/api/token", "/latest/meta-data/iam/", "/computeMetadata/v1/", "/metadata/identity/oauth2/"];

/// How the HTTP client refuses an address without TLS.
const NO_TLS: &str = "URL scheme is not allowed";

/// How `object_store` tells of a deletion in a batch.
const DELETION_REFUSED: &str = "Bulk delete request failed for key";

/// Whether the outcome of a request is unknown, and `object_store` did not repeat it. It repeats what was throttled,
/// what failed in the server and what did not reach it, but not, for instance, a put-if-absent whose answer was cut off.
pub(super) fn is_unknown_outcome(error: &object_store::Error) -> bool {
    let is_unknown = |error: &HttpError| match error.kind() {
        HttpErrorKind::Connect | HttpErrorKind::Request => false,
        _ => !root_cause(error).contains(NO_TLS),
    };
    let text = error.to_string();
    let is_given_up = text.contains(&format!("after {MAX_RETRIES} retries"));
    http_error(error).is_some_and(is_unknown) && !is_given_up && !asks_for_credentials(&text)
}

fn http_error(error: &object_store::Error) -> Option<&HttpError> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

fn asks_for_credentials(text: &str) -> bool {
    CREDENTIAL_SERVICES.iter().any(|path| text.contains(path))
}

/// Whether Azure refused one deletion of a batch because it is busy; `object_store` repeats only whole batches.
pub(super) fn is_busy(error: &object_store::Error) -> bool {
    let text = error.to_string();
    text.contains(DELETION_REFUSED) && Answer::of(&text).is_some_and(|answer| answer.is("5") || answer.is("429"))
}

/// A store's answer that is no success.
struct Answer<'a> {
    /// Such as `403 Forbidden`.
    status: &'a str,
    code: Option<&'a str>,
    message: Option<&'a str>,
}

impl<'a> Answer<'a> {
    /// `object_store` tells the status and the body in its text only; of deletions from Azure, which go by batches, the
    /// status at the end.
    fn of(text: &'a str) -> Option<Self> {
        if let Some((_, after)) = text.split_once(DELETION_REFUSED).and_then(|(_, after)| after.rsplit_once("(code: "))
        {
            return Some(Answer { status: after.trim_end_matches(')'), code: None, message: None });
        }
        let (_, after) = text.split_once("status code: ")?;
        let (status, body) = after.split_once(':').unwrap_or((after, ""));
        Some(Answer { status, code: element(body, "Code"), message: element(body, "Message") })
    }

    fn is(&self, status: &str) -> bool {
        self.status.starts_with(status)
    }

    fn says(&self, codes: &[&str]) -> bool {
        self.code.is_some_and(|code| codes.contains(&code))
    }
}

/// The text of an element of XML.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    // Azure goes on with the time and the request's id.
    text.lines().next().filter(|line| !line.is_empty())
}

/// The error for the user: what is wrong and what to do, without secrets.
pub(super) fn explain(kind: Kind, error: &object_store::Error) -> Error {
    use object_store::Error as Store;
    let text = error.to_string();
    if asks_for_credentials(&text) {
        return Error::new(ErrorKind::Denied, format!("there are no credentials for {}", kind.name()))
            .hint(kind.credentials_hint());
    }
    if let Some(answer) = Answer::of(&text) {
        return explain_answer(kind, &answer);
    }
    if let Some(http) = http_error(error) {
        return explain_silence(kind, http, &text);
    }
    let (kind, hint) = match error {
        Store::NotFound { .. } => (ErrorKind::NotFound, "check the address"),
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => (ErrorKind::Denied, kind.credentials_hint()),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "use a folder, file://, s3://, gs://, az:// or abfss://")
        }
        Store::InvalidPath { .. } => (ErrorKind::Invalid, "check the address, and the names of the objects there"),
        _ if text.contains("redirect") => (ErrorKind::Invalid, "check that AWS_REGION is the bucket's"),
        _ => (ErrorKind::Unavailable, kind.reach_hint()),
    };
    Error::new(kind, redacted(&text)).hint(hint)
}

/// Codes of the stores, by what the user can do.
const NO_CONTAINER: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "FilesystemNotFound"];
const WRONG_CREDENTIALS: [&str; 8] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "AuthenticationFailed",
    "InvalidSecurity",
    "AccessKeyDisabled",
];
const FULL: [&str; 6] = [
    "InsufficientCapacity",
    "XMinioStorageFull",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "AccountLimitExceeded",
    "InsufficientStorage",
];
const THROTTLED: [&str; 4] = ["SlowDown", "TooManyRequests", "ServerBusy", "RequestLimitExceeded"];
/// The store has waited for the rest of a request.
const LATE: [&str; 2] = ["RequestTimeout", "OperationTimedOut"];
const CLOCK: [&str; 2] = ["RequestTimeTooSkewed", "RequestExpired"];
const REGION: [&str; 3] = ["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];

fn explain_answer(kind: Kind, answer: &Answer<'_>) -> Error {
    let credentials = kind.credentials_hint();
    let (error_kind, hint) = if answer.says(&NO_CONTAINER) {
        (ErrorKind::NotFound, "make the bucket or container, or check its name and the store's address")
    } else if answer.says(&CLOCK) {
        (ErrorKind::Denied, "set this machine's clock")
    } else if answer.says(&REGION) || answer.is("3") {
        (ErrorKind::Invalid, "check that AWS_REGION is the bucket's")
    } else if answer.says(&FULL) || answer.is("507") {
        (ErrorKind::Unavailable, "free some space or raise the quota, then try again; nothing half-written is there")
    } else if answer.says(&WRONG_CREDENTIALS) || answer.is("401") || answer.is("403") {
        (ErrorKind::Denied, credentials)
    } else if answer.says(&THROTTLED) || answer.is("429") || answer.is("503") {
        (ErrorKind::Unavailable, "the store asks to slow down; try again later")
    } else if answer.says(&LATE) || answer.is("408") {
        (ErrorKind::Unavailable, "the request came too slowly; see to the connection to the store, or try again later")
    } else if answer.is("404") {
        (ErrorKind::NotFound, "check the address")
    } else if answer.is("405") || answer.is("501") {
        (ErrorKind::Unsupported, "the store cannot do this, or is read-only; see what it allows")
    } else if answer.is("4") {
        (ErrorKind::Invalid, "check the address and the store's settings")
    } else {
        (ErrorKind::Unavailable, "the fault is in the store; try again later")
    };
    let details: Vec<_> = [answer.code, answer.message].into_iter().flatten().collect();
    let told = if details.is_empty() { String::new() } else { format!(" ({})", details.join(": ")) };
    Error::new(error_kind, redacted(&format!("{} answers {}{told}", kind.name(), answer.status))).hint(hint)
}

/// A request that got no answer, or half of one.
fn explain_silence(kind: Kind, error: &HttpError, text: &str) -> Error {
    let mut urls = text.split(' ').filter(|word| word.contains("://")).filter_map(|word| Url::parse(word).ok());
    let at = urls.next().map_or(String::new(), |url| host(&url));
    let (name, cause) = (kind.name(), root_cause(error));
    if cause.contains(NO_TLS) {
        return Error::invalid(format!("{name}{at} is not asked without TLS"))
            .hint("use an https:// endpoint, or allow http by AWS_ALLOW_HTTP=true or --store-option allow_http=true");
    }
    let wrong = match error.kind() {
        HttpErrorKind::Connect => format!("{name}{at} cannot be reached: {cause}"),
        HttpErrorKind::Timeout => format!("{name}{at} did not answer in time"),
        _ => format!("the connection to {name}{at} broke: {cause}"),
    };
    Error::new(ErrorKind::Unavailable, redacted(&wrong)).hint(kind.reach_hint())
}

/// ` at host:port`
fn host(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    url.host_str().map_or(String::new(), |host| format!(" at {host}{port}"))
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No server at hand refuses one deletion of a batch.
    fn refused_deletion(answer: &str, code: u16) -> object_store::Error {
        let text = format!("{DELETION_REFUSED} t/a.json: {answer} (code: {code})");
        object_store::Error::Generic { store: "MicrosoftAzure", source: text.into() }
    }

    #[test]
    fn a_deletion_that_azure_refuses_in_a_batch_is_denied_or_tried_again() {
        for (answer, code, kind, is_tried_again) in [
            ("Forbidden", 403, ErrorKind::Denied, false),
            ("Conflict", 409, ErrorKind::Invalid, false),
            ("Too Many Requests", 429, ErrorKind::Unavailable, true),
            ("Service Unavailable", 503, ErrorKind::Unavailable, true),
        ] {
            let error = refused_deletion(answer, code);
            assert_eq!(explain(Kind::Azure, &error).kind(), kind, "{answer}");
            assert_eq!(is_busy(&error), is_tried_again, "{answer}");
        }
        assert_eq!(explain(Kind::Azure, &refused_deletion("Forbidden", 403)).to_string(), "Azure answers 403");
    }
}
