//! The settings of stores: from the environment, and from `--store-option`.

use deltalakedb_core::{Error, Result};

use super::kind::Kind;

/// What `--store-option` gave: settings of stores, by the names that they have in the environment, in any case; the
/// prefix (`aws_`, `google_`, `azure_`) may be left out. The values may be secret and are never shown.
#[derive(Clone, Default)]
pub struct StoreOptions(Vec<(String, String)>);

impl StoreOptions {
    /// Takes `key=value`s apart. Which keys there are depends on the store, and is checked when one is opened.
    ///
    /// # Errors
    /// [`Invalid`](deltalakedb_core::ErrorKind::Invalid) for one without a key or a `=`.
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a String>) -> Result<Self> {
        let parse_one = |(number, argument): (usize, &'a String)| match argument.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_ascii_lowercase(), value.to_owned())),
            _ => Err(Error::invalid(format!("--store-option number {} is not KEY=VALUE", number + 1))
                .hint("write it as in --store-option aws_region=eu-central-1")),
        };
        arguments.into_iter().enumerate().map(parse_one).collect::<Result<_>>().map(StoreOptions)
    }

    /// The settings for a store: those of the environment, then the options, which come later and so count.
    pub(super) fn settings_of(&self, kind: Kind) -> Result<Vec<(String, String)>> {
        let mut settings: Vec<_> = environment(kind).filter(|(key, _)| kind.knows(key)).collect();
        for (key, value) in &self.0 {
            if kind.knows(key) {
                settings.push((key.clone(), value.clone()));
            } else if !is_of_another(kind, key) {
                let known: Vec<_> = kind.settings().collect();
                return Err(Error::invalid(format!("--store-option: {} has no setting `{key}`", kind.name()))
                    .hint(format!("it has {}", known.join(", "))));
            }
        }
        for (key, value) in &settings {
            // They go into the headers of requests, which have one line.
            if value.chars().any(char::is_control) {
                return Err(Error::invalid(format!(
                    "the setting `{key}` has a line break or another control character"
                ))
                .hint("set it without; `$(cat FILE)` in a shell leaves out the line's end"));
            }
            if is_address(key) && !matches!(value.as_str(), "" | "true" | "false") && url::Url::parse(value).is_err() {
                return Err(Error::invalid(format!("the setting `{key}` is no address"))
                    .hint("write it as in https://minio.example:9000"));
            }
        }
        Ok(settings)
    }
}

/// Whether a setting is where a store, or what it needs, is to be found; some of that ending only say whether one is used.
fn is_address(key: &str) -> bool {
    ["endpoint", "endpoint_url", "endpoint_url_s3"].iter().any(|end| key.ends_with(end))
}

/// Whether a key says by its prefix that it is meant for stores of another kind.
fn is_of_another(kind: Kind, key: &str) -> bool {
    let others = [Kind::S3, Kind::GoogleCloud, Kind::Azure].into_iter().filter(|other| *other != kind);
    others.into_iter().any(|other| other.prefix().is_some_and(|prefix| key.starts_with(prefix)) && other.knows(key))
}

/// The store's variables by their conventional names, in small letters.
fn environment(kind: Kind) -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(move |(name, value)| {
        let name = name.into_string().ok()?.to_ascii_lowercase();
        name.starts_with(kind.prefix()?).then_some((name, value.into_string().ok()?))
    })
}

/// Whether a setting's value must not be seen.
pub(super) fn is_secret(key: &str) -> bool {
    ["key", "secret", "token", "sas", "password", "credential", "service_account"].iter().any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<StoreOptions> {
        StoreOptions::parse(&arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_option_without_a_value_is_refused_and_not_shown() {
        for wrong in ["hunter2", "=hunter2", " =hunter2"] {
            let error = options(&["region=x", wrong]).err().unwrap();
            assert_eq!(error.to_string(), "--store-option number 2 is not KEY=VALUE");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones_and_without_its_value() {
        let error = options(&["aws_acces_key_id=hunter2"]).unwrap().settings_of(Kind::S3).unwrap_err();
        assert_eq!(error.to_string(), "--store-option: S3 has no setting `aws_acces_key_id`");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("aws_access_key_id, ") && hint.contains("allow_http, "), "{hint}");
        assert!(!format!("{error} {hint}").contains("hunter2"));
    }

    #[test]
    fn the_last_one_counts_and_those_of_other_stores_are_left_to_them() {
        let options = options(&["Region=a", "AWS_REGION=b", "azure_storage_account_name=c"]).unwrap();
        let of_s3 = options.settings_of(Kind::S3).unwrap();
        let regions: Vec<_> = of_s3.iter().filter(|(key, _)| key.ends_with("region")).map(|(_, value)| value).collect();
        assert!(regions.ends_with(&[&"a".to_owned(), &"b".to_owned()]), "{regions:?}");
        assert!(!of_s3.iter().any(|(key, _)| key.starts_with("azure_")));
        options.settings_of(Kind::GoogleCloud).unwrap_err();
    }

    #[test]
    fn values_may_have_equal_signs() {
        let options = options(&["token=a=b="]).unwrap();
        assert!(options.settings_of(Kind::S3).unwrap().contains(&("token".into(), "a=b=".into())));
    }
}
