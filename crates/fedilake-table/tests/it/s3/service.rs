//! Prefixes of the tests' own in the shared S3 store.

use fedilake_services::Services;
use fedilake_table::s3::{Environment, S3, S3Settings, S3Url};

pub(crate) const KEY: &str = "fedilake";
pub(crate) const SECRET: &str = "fedilake-secret";

/// The store's endpoint, or `None` after printing that `test` is skipped.
pub(crate) fn store(test: &str) -> Option<String> {
    Services::shared(test).map(|services| services.s3.endpoint)
}

/// A new, empty prefix in the bucket.
pub(crate) fn url() -> S3Url {
    S3Url::parse(&format!("s3://fedilake/test-table/{}", uuid::Uuid::new_v4())).unwrap()
}

/// An empty prefix, with these credentials.
pub(crate) fn place(endpoint: &str, key: &str, secret: &str) -> S3 {
    open(&url(), endpoint, key, secret)
}

pub(crate) fn open(url: &S3Url, endpoint: &str, key: &str, secret: &str) -> S3 {
    let settings = S3Settings { endpoint: Some(endpoint.to_owned()), ..S3Settings::default() };
    let variables = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    S3::open(url, &settings, &Environment::of(&variables)).unwrap()
}
