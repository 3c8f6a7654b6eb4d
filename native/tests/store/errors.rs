//! What is told of wrong settings and of stores that refuse.

use std::time::{Duration, Instant};

use deltalakedb_core::{Error, ErrorKind};
use deltalakedb_native::store::{LogStore, StoreOptions, Stores};

use crate::azurite;
use crate::google_cloud;
use crate::server::{BUCKET, KEY_ID, SECRET, free_address, server};
use crate::support::{Cloud, content, dl, put, run, s3_log, s3_stores};

/// The failure to write the first object.
async fn refusal(cloud: Cloud, table: &str, options: &[&str]) -> Error {
    let stores = cloud.stores(cloud.address(), options);
    let error = match LogStore::of_table(table, &stores).await {
        Ok(log) => put(&log, "a.json", "x").await.unwrap_err(),
        Err(error) => error,
    };
    let told = format!("{error} {}", error.hint_text().unwrap_or_default());
    for secret in [KEY_ID, SECRET, azurite::KEY, google_cloud::TOKEN, "hunter2", HUNTER2] {
        assert!(!told.contains(secret), "{told}");
    }
    error
}

#[test]
fn wrong_credentials_rights_and_buckets() {
    run(async {
        let table = format!("s3://{BUCKET}/t");
        for (options, kind, message, hint) in [
            (
                &["aws_secret_access_key=hunter2"][..],
                ErrorKind::Denied,
                "403 Forbidden (SignatureDoesNotMatch",
                "AWS_SECRET",
            ),
            (
                &["aws_access_key_id=hunter2"],
                ErrorKind::Denied,
                "403 Forbidden (InvalidAccessKeyId",
                "AWS_ACCESS_KEY_ID",
            ),
            (&["skip_signature=true"], ErrorKind::Denied, "403 Forbidden (AccessDenied", "their rights"),
            (&["timeout=hunter2"], ErrorKind::Invalid, "the settings for S3 are wrong", "--store-option"),
            (&["allow_http=hunter2"], ErrorKind::Invalid, "the settings for S3 are wrong", "--store-option"),
            (&["allow_http=false"], ErrorKind::Invalid, "is not asked without TLS", "AWS_ALLOW_HTTP=true"),
            (&["aws_regoin=hunter2"], ErrorKind::Invalid, "S3 has no setting `aws_regoin`", "aws_region, "),
            (&["google_service_accont=hunter2"], ErrorKind::Invalid, "S3 has no setting `google_service_accont`", ""),
            (&["aws_conditional_put=disabled"], ErrorKind::Unsupported, "conditional put is disabled", ""),
        ] {
            let error = refusal(Cloud::S3, &table, options).await;
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint_text().unwrap().contains(hint), "{:?}", error.hint_text());
        }
        let error = refusal(Cloud::S3, "s3://no-such-bucket/t", &[]).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let expected = "writing a.json to s3://no-such-bucket/t/_delta_log: S3 answers 404 Not Found (NoSuchBucket";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(error.hint_text().unwrap().starts_with("make the bucket"));
    });
}

/// A secret that is Base64, as Azure's keys are.
const HUNTER2: &str = "aHVudGVyMg==";

#[test]
fn wrong_settings_for_azure_and_google_cloud_storage() {
    run(async {
        for (cloud, options, kind, message, hint) in [
            (
                Cloud::Azure,
                &[&format!("azure_storage_account_key={HUNTER2}")[..]][..],
                ErrorKind::Denied,
                "Azure answers 403 Forbidden (AuthorizationFailure",
                "AZURE_STORAGE_ACCOUNT_KEY",
            ),
            (Cloud::Azure, &["azure_storage_account_key=hunter2"], ErrorKind::Invalid, "the settings for Azure", ""),
            (Cloud::Azure, &["skip_signature=true"], ErrorKind::Denied, "Azure answers 403 Forbidden", "their rights"),
            (Cloud::Azure, &["allow_http=false"], ErrorKind::Invalid, "is not asked without TLS", "allow_http=true"),
            (Cloud::Azure, &["azure_acount=hunter2"], ErrorKind::Invalid, "Azure has no setting `azure_acount`", ""),
            (
                Cloud::Google,
                &["google_bearer_token=hunter2"],
                ErrorKind::Denied,
                "Google Cloud Storage answers 401 Unauthorized",
                "GOOGLE_APPLICATION_CREDENTIALS",
            ),
            (Cloud::Google, &["google_base_ulr=hunter2"], ErrorKind::Invalid, "has no setting `google_base_ulr`", ""),
            (Cloud::Google, &["allow_http=false"], ErrorKind::Invalid, "is not asked without TLS", "allow_http=true"),
        ] {
            let error = refusal(cloud, &cloud.url("t"), options).await;
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint_text().unwrap().contains(hint), "{:?}", error.hint_text());
        }
    });
}

#[test]
fn a_missing_container_of_azure_is_told_by_every_call() {
    every_call_tells(Cloud::Azure, "az://no-such-container/t", "ContainerNotFound");
}

#[test]
fn a_missing_bucket_of_google_is_told_by_every_call() {
    every_call_tells(Cloud::Google, "gs://no-such-bucket/t", "NoSuchBucket");
}

/// Deleting what is gone is fine, but not in a bucket that is not there.
#[test]
fn a_missing_bucket_is_told_by_every_call() {
    every_call_tells(Cloud::S3, "s3://no-such-bucket/t", "NoSuchBucket");
}

fn every_call_tells(cloud: Cloud, table: &str, code: &str) {
    run(async {
        let log = LogStore::of_table(table, &cloud.stores(cloud.address(), &[])).await.unwrap();
        for (call, error) in [
            ("put", put(&log, "a", "x").await.map(drop).unwrap_err()),
            ("list", log.list().await.map(drop).unwrap_err()),
            ("fetch", log.fetch("a").await.map(drop).unwrap_err()),
            ("sweep", log.sweep_temporary_files(0).await.unwrap_err()),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{call}: {error}");
            assert!(error.to_string().contains(code), "{call}: {error}");
        }
        // Azurite answers as if the container were there, and the object gone.
        if cloud != Cloud::Azure {
            let error = log.delete("a").await.unwrap_err();
            assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains(code), "{error}");
        }
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached() {
    run(async {
        let start = Instant::now();
        let log = s3_log(free_address(), &[]).await;
        let error = put(&log, "a", "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("S3 at 127.0.0.1:") && error.to_string().contains("refused"), "{error}");
        assert!(error.hint_text().unwrap().contains("AWS_ENDPOINT_URL"));
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    });
}

#[test]
fn stores_that_are_not_known() {
    run(async {
        for (address, kind) in [
            ("ftp://host/t", ErrorKind::Unsupported),
            ("memory:///t", ErrorKind::Unsupported),
            ("s3:///t", ErrorKind::Invalid),
            ("s3://bucket/t?key=hunter2", ErrorKind::Invalid),
        ] {
            let Err(error) = LogStore::of_table(address, &Stores::default()).await else { panic!("{address}") };
            assert!([kind, ErrorKind::Unsupported].contains(&error.kind()), "{address}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    });
}

/// One of a plain web server can be read and not be put to.
#[test]
fn a_web_server_has_no_put_if_absent() {
    run(async {
        let url = format!("http://{}/t", server().address);
        let stores = Stores::new(StoreOptions::parse(&["allow_http=true".to_owned()]).unwrap());
        let log = LogStore::of_table(&url, &stores).await.unwrap();
        let error = put(&log, "a", "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[test]
fn missing_credentials_are_told_in_reasonable_time() {
    let endpoint = format!("http://{}", server().address);
    let metadata = format!("http://{}", free_address());
    let start = Instant::now();
    let (code, told) = dl(
        &[("AWS_ENDPOINT_URL", &endpoint), ("AWS_ALLOW_HTTP", "true"), ("AWS_METADATA_ENDPOINT", &metadata)],
        &["import", "--database", "/nonexistent/c.db", "--log-dir", &format!("s3://{BUCKET}/t")],
    );
    assert_eq!(code, Some(1));
    assert!(told.contains("there are no credentials for S3") && told.contains("AWS_ACCESS_KEY_ID"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// A mirror to a bucket and back, by the variables of the environment and by options, which count more.
#[test]
fn the_command_mirrors_to_a_bucket_and_imports_from_it() {
    let home = tempfile::TempDir::new().unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tables/classic-checkpoint");
    let endpoint = format!("http://{}", server().address);
    let target = crate::support::new_table();
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
    ];
    let secret = format!("aws_secret_access_key={SECRET}");
    let (one, two) = (home.path().join("one.db"), home.path().join("two.db"));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let run_dl = |arguments: &[&str]| {
        let (code, told) = dl(&environment, arguments);
        assert!(!told.contains(SECRET) && !told.contains("not-the-secret"), "{told}");
        assert_eq!(code, Some(0), "{arguments:?}: {told}");
    };
    run_dl(&["import", "--database", one, "--log-dir", table, "--name", "t"]);
    for _ in 0..2 {
        run_dl(&["mirror", "--database", one, "--target", &target, "--store-option", &secret]);
    }
    run_dl(&["import", "--database", two, "--log-dir", &target, "--store-option", &secret, "--name", "t"]);
    let wrong = dl(&environment, &["mirror", "--database", one, "--target", &target]);
    assert_eq!(wrong.0, Some(1));
    assert!(wrong.1.contains("SignatureDoesNotMatch") && !wrong.1.contains(KEY_ID), "{}", wrong.1);
    run(async {
        let log = LogStore::of_table(&target, &s3_stores(server().address, &[])).await.unwrap();
        let name = "00000000000000000000.json";
        let source = std::fs::read(format!("{table}/_delta_log/{name}")).unwrap();
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines(&content(&log, name).await), lines(&source));
    });
}

/// Ten thousand logs share a client, so that they share its connections.
#[test]
fn logs_in_a_bucket_share_a_client() {
    run(async {
        let stores = s3_stores(server().address, &[]);
        let start = Instant::now();
        let mut logs = Vec::new();
        for number in 0..10_000 {
            logs.push(LogStore::of_table(&format!("s3://{BUCKET}/{number}"), &stores).await.unwrap());
        }
        // A client of its own for each takes milliseconds, for the certificates that it trusts.
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        assert_eq!(stores.client_count(), 1);
        LogStore::of_table("s3://another/t", &stores).await.unwrap();
        assert_eq!(stores.client_count(), 2);
    });
}
