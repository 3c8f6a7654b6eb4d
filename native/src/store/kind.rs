//! The kinds of stores: what they are called, which settings they know.

use object_store::ObjectStoreScheme;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::client::ClientConfigKey;
use object_store::gcp::GoogleConfigKey;

/// Whose protocol a store speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    S3,
    GoogleCloud,
    Azure,
    Http,
    /// One that the caller made.
    Other,
}

/// Settings of every store's client.
const CLIENT: [&str; 14] = [
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "disable_system_certificates",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "read_timeout",
    "timeout",
    "user_agent",
];

const S3: [&str; 27] = [
    "aws_access_key_id",
    "aws_checksum_algorithm",
    "aws_conditional_put",
    "aws_container_authorization_token_file",
    "aws_container_credentials_full_uri",
    "aws_container_credentials_relative_uri",
    "aws_copy_if_not_exists",
    "aws_disable_bulk_delete",
    "aws_disable_tagging",
    "aws_endpoint_url",
    "aws_endpoint_url_s3",
    "aws_endpoint_url_sts",
    "aws_imdsv1_fallback",
    "aws_metadata_endpoint",
    "aws_region",
    "aws_request_payer",
    "aws_role_arn",
    "aws_role_session_name",
    "aws_s3_express",
    "aws_secret_access_key",
    "aws_server_side_encryption",
    "aws_session_token",
    "aws_skip_signature",
    "aws_sse_kms_key_id",
    "aws_unsigned_payload",
    "aws_virtual_hosted_style_request",
    "aws_web_identity_token_file",
];

const GOOGLE_CLOUD: [&str; 6] = [
    "google_application_credentials",
    "google_base_url",
    "google_bearer_token",
    "google_service_account",
    "google_service_account_key",
    "google_skip_signature",
];

const AZURE: [&str; 19] = [
    "azure_authority_host",
    "azure_client_id",
    "azure_client_secret",
    "azure_credential_type",
    "azure_disable_tagging",
    "azure_federated_token_file",
    "azure_msi_endpoint",
    "azure_msi_resource_id",
    "azure_object_id",
    "azure_skip_signature",
    "azure_storage_account_key",
    "azure_storage_account_name",
    "azure_storage_encryption_key",
    "azure_storage_endpoint",
    "azure_storage_sas_token",
    "azure_storage_token",
    "azure_storage_use_emulator",
    "azure_tenant_id",
    "azure_use_azure_cli",
];

impl Kind {
    pub(super) fn of(scheme: &ObjectStoreScheme) -> Self {
        match scheme {
            ObjectStoreScheme::AmazonS3 => Kind::S3,
            ObjectStoreScheme::GoogleCloudStorage => Kind::GoogleCloud,
            ObjectStoreScheme::MicrosoftAzure => Kind::Azure,
            ObjectStoreScheme::Http => Kind::Http,
            _ => Kind::Other,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::S3 => "S3",
            Kind::GoogleCloud => "Google Cloud Storage",
            Kind::Azure => "Azure",
            Kind::Http => "the HTTP server",
            Kind::Other => "the store",
        }
    }

    /// What its settings begin with in the environment, in small letters.
    pub(super) fn prefix(self) -> Option<&'static str> {
        match self {
            Kind::S3 => Some("aws_"),
            Kind::GoogleCloud => Some("google_"),
            Kind::Azure => Some("azure_"),
            Kind::Http | Kind::Other => None,
        }
    }

    /// Whether it has a setting of this name.
    pub(super) fn knows(self, key: &str) -> bool {
        match self {
            Kind::S3 => key.parse::<AmazonS3ConfigKey>().is_ok(),
            Kind::GoogleCloud => key.parse::<GoogleConfigKey>().is_ok(),
            Kind::Azure => key.parse::<AzureConfigKey>().is_ok(),
            Kind::Http => key.parse::<ClientConfigKey>().is_ok(),
            Kind::Other => false,
        }
    }

    /// The names of its settings.
    pub(super) fn settings(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = match self {
            Kind::S3 => &S3,
            Kind::GoogleCloud => &GOOGLE_CLOUD,
            Kind::Azure => &AZURE,
            Kind::Http | Kind::Other => &[],
        };
        own.iter().chain(&CLIENT).copied()
    }

    /// Where its credentials come from.
    pub(super) fn credentials_hint(self) -> &'static str {
        match self {
            Kind::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones) in the \
                 environment, and check their rights"
            }
            Kind::GoogleCloud => {
                "set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT to the account's key file, and check its \
                 rights"
            }
            Kind::Azure => {
                "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN, or a service \
                 principal's AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID), and check their rights"
            }
            Kind::Http | Kind::Other => "check the credentials and their rights",
        }
    }

    /// What to look at when the store does not answer as it should.
    pub(super) fn reach_hint(self) -> &'static str {
        match self {
            Kind::S3 => "check the network and AWS_ENDPOINT_URL, AWS_REGION, then try again",
            _ => "check the address, the network and the store's settings in the environment, then try again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_that_are_named_are_known() {
        for kind in [Kind::S3, Kind::GoogleCloud, Kind::Azure, Kind::Http] {
            for setting in kind.settings() {
                assert!(kind.knows(setting), "{} does not know {setting}", kind.name());
            }
            assert!(!kind.knows("aws_access_keyid"));
        }
    }
}
