//! The commands on Azure and on Google Cloud Storage, with the variables of the environment.

use crate::azurite;
use crate::google_cloud;
use crate::support::{Cloud, dl};

/// A catalog whose log is in a bucket, from a mirror to a backup and back.
fn commands_on(cloud: Cloud) {
    let home = tempfile::TempDir::new().unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tables/classic-checkpoint");
    let prefix = if cloud == Cloud::Azure { "AZURE_" } else { "GOOGLE_" };
    let settings: Vec<_> = cloud.options(cloud.address());
    let settings: Vec<_> = settings.iter().map(|option| option.split_once('=').unwrap()).collect();
    let names: Vec<_> = settings.iter().map(|(name, _)| name.to_ascii_uppercase()).collect();
    let names =
        names.iter().map(|name| if name.starts_with(prefix) { name.clone() } else { format!("{prefix}{name}") });
    let names: Vec<_> = names.collect();
    let environment: Vec<_> = names.iter().map(String::as_str).zip(settings.iter().map(|(_, value)| *value)).collect();
    let run = |arguments: &[&str]| {
        let (code, told) = dl(&environment, arguments);
        assert!(!told.contains(azurite::KEY) && !told.contains(google_cloud::TOKEN), "{told}");
        assert_eq!(code, Some(0), "{arguments:?}: {told}");
    };
    let database = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (source, catalog, restored, copied) = (database("1.db"), database("2.db"), database("3.db"), database("4.db"));
    let bucket = cloud.url(&uuid::Uuid::new_v4().to_string());
    let [mirror, copy, backups] = ["mirror", "a copy", "backups"].map(|folder| format!("{bucket}/{folder}"));

    run(&["import", "--database", &source, "--log-dir", table, "--name", "t"]);
    for _ in 0..2 {
        run(&["mirror", "--database", &source, "--target", &mirror]);
    }
    run(&["import", "--database", &catalog, "--log-dir", &mirror, "--name", "t"]);
    run(&["import", "--database", &catalog, "--log-dir", &mirror, "--incremental"]);
    run(&["mirror", "--database", &catalog]);
    run(&["verify", "--database", &catalog]);
    run(&["diff", "--database", &catalog]);
    run(&["diff", "--database", &source, "--target", &mirror]);
    run(&["export", "--database", &catalog, "--to", &copy]);
    run(&["import", "--database", &copied, "--log-dir", &copy, "--name", "t"]);
    run(&["verify", "--database", &copied]);
    run(&["backup", "--database", &catalog, "--to", &backups]);
    run(&["backup", "--database", &catalog, "--to", &backups, "--incremental"]);
    run(&["restore", "--database", &restored, "--from", &backups]);
    run(&["verify", "--database", &restored, "--target", &mirror]);

    let wrong = dl(&environment, &["verify", "--database", &catalog, "--target", &format!("{bucket}/none")]);
    assert_ne!(wrong.0, Some(0), "{}", wrong.1);
    let wrong = match cloud {
        Cloud::Azure => "azure_storage_account_key=aHVudGVyMg==",
        _ => "google_bearer_token=hunter2",
    };
    let (code, told) = dl(&environment, &["mirror", "--database", &catalog, "--store-option", wrong]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("(denied)") || told.contains("check their rights") || told.contains("check its rights"),
        "{told}"
    );
}

#[test]
fn the_commands_on_azure() {
    commands_on(Cloud::Azure);
}

#[test]
fn the_commands_on_google_cloud_storage() {
    commands_on(Cloud::Google);
}
