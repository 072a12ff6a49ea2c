//! The settings of a table on S3, for the store and for DuckDB.

use anyhow::Context;
use fedilake_query::{S3Key, S3Secret, views};
use fedilake_table::s3::{Access, Environment, S3, S3Settings, S3Url};

use crate::settings::key::Text;
use crate::settings::{Key, Settings, key};

/// The table's URL, if it is on S3.
pub fn url(settings: &Settings) -> anyhow::Result<Option<S3Url>> {
    match settings.get(key::TABLE_URL) {
        url if url.starts_with("s3:") => S3Url::parse(url).map(Some).context("setting table.url"),
        _ => Ok(None),
    }
}

/// Opens the store that the settings and the process's variables name. Sends no request: writers then call
/// [`S3::probe`], readers [`S3::reach`].
pub fn open(url: &S3Url, settings: &Settings) -> anyhow::Result<S3> {
    let text = |key: Key<Text>| Some(settings.get(key).to_owned()).filter(|text| !text.is_empty());
    let s3 = S3Settings {
        endpoint: text(key::TABLE_S3_ENDPOINT),
        region: text(key::TABLE_S3_REGION),
        path_style: settings.get(key::TABLE_S3_PATH_STYLE).parse().ok(),
    };
    S3::open(url, &s3, &Environment::new(std::env::vars_os())).context("open the table")
}

/// The table's files as a pattern for DuckDB.
pub fn pattern(url: &S3Url) -> String {
    let prefix = if url.prefix.as_ref().is_empty() { String::new() } else { format!("{}/", url.prefix) };
    format!("s3://{}/{}posts/**/*.parquet", url.bucket, views::plain(&prefix))
}

/// The credentials for this process's DuckDB, with the key itself, for all of S3.
pub async fn secret(s3: &S3) -> anyhow::Result<S3Secret> {
    let Access { endpoint, region, path_style } = s3.access();
    let credential = s3.credential().await?;
    let (id, secret, token) = (credential.key_id.clone(), credential.secret_key.clone(), credential.token.clone());
    Ok(S3Secret { endpoint, region, path_style, scope: None, key: S3Key::Given { id, secret, token } })
}

/// The credentials for another process's DuckDB, for this bucket only; contains no secrets unless `show_secrets`.
pub async fn printed_secret(s3: &S3, url: &S3Url, show_secrets: bool) -> anyhow::Result<S3Secret> {
    let Access { endpoint, region, path_style } = s3.access();
    let key = match show_secrets {
        true => secret(s3).await?.key,
        false if s3.is_asked_by_variables() => S3Key::Variables,
        false => S3Key::Chain,
    };
    Ok(S3Secret { endpoint, region, path_style, scope: Some(format!("s3://{}", url.bucket)), key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_below_the_prefix_whatever_is_in_it() -> anyhow::Result<()> {
        for (url, wanted) in [
            ("s3://b", "s3://b/posts/**/*.parquet"),
            ("s3://b/x/y/", "s3://b/x/y/posts/**/*.parquet"),
            ("s3://b/a[1]", "s3://b/a[[]1]/posts/**/*.parquet"),
        ] {
            assert_eq!(pattern(&S3Url::parse(url)?), wanted);
        }
        Ok(())
    }
}
