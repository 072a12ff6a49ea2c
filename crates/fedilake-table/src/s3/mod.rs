//! A table on S3, or on any store with the same API: `s3://bucket/prefix`.
//!
//! The table needs a put that the store refuses when the name is taken (`If-None-Match`), which not every store has.
//! [`S3::probe`] tries it at the start, so that such a store is refused before two sinks overwrite each other's
//! files.
//!
//! - The store's address comes from [`S3Settings`], else from the usual AWS variables, else from the profile of AWS's
//!   shared files ([`profile`]).
//! - [`credentials`] come from the same places. Short-lived ones are renewed.
//! - [`requests`] counts all requests, limits the time of each, and sends a request again if it got no answer.
//!
//! A request is tried again for two minutes, enough for a store that restarts. If a create-only put succeeds and its
//! answer is lost, the next try is told that the name is taken; the commit protocol then reads the table and finds
//! its own file.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
};

mod credentials;
mod environment;
mod error;
mod profile;
mod requests;

use credentials::CredentialSource;
pub use environment::Environment;
pub use error::{S3Error, store_hint};
use profile::Profile;
pub use requests::{RequestCounts, Requests};

/// The largest object that a store takes in one put, in bytes. Only a single put can be create-only.
pub const PUT_BYTES_MAX: u64 = 5 << 30;

/// A URL of the form `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket's name.
    pub bucket: String,
    /// The table's prefix in the bucket; empty for the whole bucket.
    pub prefix: Path,
}

impl S3Url {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<S3Url, S3Error> {
        let refuse = |why: &str| Err(S3Error::Url { url: url.to_owned(), why: why.to_owned() });
        let Some(rest) = url.strip_prefix("s3://") else { return refuse("expected s3:// at its start") };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || !bucket.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_".contains(&c)) {
            return refuse("its bucket name is invalid");
        }
        if prefix.starts_with('/') {
            return refuse("the prefix begins with a slash");
        }
        match Path::parse(prefix.trim_end_matches('/')) {
            Ok(prefix) => Ok(S3Url { bucket: bucket.to_owned(), prefix }),
            Err(error) => refuse(&error.to_string()),
        }
    }
}

/// A store's settings beyond its URL. Each `None` is taken from the environment, else from the shared files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// `http://host:port` or `https://host`, without the bucket. Amazon's if not set anywhere.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` if not set anywhere.
    pub region: Option<String>,
    /// True if the bucket's name goes into the path, false if into the host's name. `None` means: into the path if an
    /// endpoint is given.
    pub path_style: Option<bool>,
}

/// A bucket, and the table's prefix in it.
#[derive(Clone, Debug)]
pub struct S3 {
    /// The bucket as an object store.
    pub store: Arc<dyn ObjectStore>,
    /// The table's prefix in the bucket.
    pub prefix: Path,
    /// The number of requests so far.
    pub requests: Arc<Requests>,
    /// The same bucket with a short retry limit, for the checks at startup.
    quick: AmazonS3,
    source: CredentialSource,
    bucket: String,
    place: Access,
}

/// The store's address, from settings, variables and files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// As in [`S3Settings::endpoint`].
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// True if the bucket's name is in the path.
    pub path_style: bool,
}

impl S3 {
    /// Finds the store's address and the source of credentials. Sends no request.
    pub fn open(url: &S3Url, settings: &S3Settings, environment: &Environment) -> Result<S3, S3Error> {
        let profile = Profile::load(environment)?;
        let place = Access::find(settings, environment, profile.as_ref())?;
        let requests = Arc::<Requests>::default();
        let source = CredentialSource::find(environment, profile)?;
        let builder = builder(&url.bucket, &place, environment)
            .with_http_connector(requests::Counting::new(Arc::clone(&requests), host(&url.bucket, &place)));
        let build = |builder: AmazonS3Builder| {
            builder.build().map_err(|error| S3Error::Other { store: place.name(), why: error.to_string() })
        };
        let quick = match source.provider() {
            Some(provider) => builder.clone().with_credentials(provider),
            None => builder.clone(),
        };
        let quick = build(quick.with_retry(retry(QUICK_RETRY)))?;
        // Both clients share one provider, so the credentials are fetched once; its retry limit is the short one.
        let builder = builder.with_credentials(Arc::clone(quick.credentials()));
        let store = Arc::new(build(builder.with_retry(retry(RETRY)))?);
        let (prefix, bucket) = (url.prefix.clone(), url.bucket.clone());
        Ok(S3 { store, prefix, requests, quick, source, bucket, place })
    }

    /// Lists at most one object of the table, to check the store, the bucket and the credentials.
    pub async fn reach(&self) -> Result<(), S3Error> {
        self.credential().await?;
        match self.quick.list(Some(&self.prefix)).next().await {
            Some(Err(error)) => Err(self.explain(&error)),
            _ => Ok(()),
        }
    }

    /// Checks that the store refuses a create-only put of an existing name: puts an object of its own twice, under a
    /// name that readers do not list, and deletes it. Any number of processes may probe at once. If the credentials
    /// do not allow deleting, the object stays: a few bytes.
    pub async fn probe(&self) -> Result<(), S3Error> {
        self.credential().await?;
        let location = self.prefix.clone().join("_probe").join(uuid::Uuid::new_v4().to_string());
        let put = async || {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            self.quick.put_opts(&location, "fedilake probes create-only puts\n".into(), options).await
        };
        match put().await {
            // The name is new, so an existing object is this put itself, sent again after its answer was lost.
            Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(self.explain(&error)),
        }
        let again = put().await;
        // A probe object that stays does no harm.
        let _ = self.quick.delete(&location).await;
        match again {
            Err(StoreError::AlreadyExists { .. }) => Ok(()),
            Ok(_) => Err(S3Error::NoConditionalPut { store: self.place.name() }),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// The store's address.
    pub fn access(&self) -> Access {
        self.place.clone()
    }

    /// The credentials: a key, its secret and perhaps a session's token, which may expire soon. `Debug` hides the
    /// secret and the token.
    pub async fn credential(&self) -> Result<Arc<AwsCredential>, S3Error> {
        let found = self.quick.credentials().get_credential().await;
        found.map_err(|error| S3Error::NoCredentials { store: self.place.name(), why: self.source.why_not(&error) })
    }

    /// True if the key comes from the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub fn is_asked_by_variables(&self) -> bool {
        matches!(self.source, CredentialSource::Key)
    }

    fn explain(&self, error: &StoreError) -> S3Error {
        S3Error::of(error, &self.place.name(), &self.bucket)
    }
}

impl Access {
    fn find(settings: &S3Settings, environment: &Environment, profile: Option<&Profile>) -> Result<Access, S3Error> {
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let endpoint = settings
            .endpoint
            .clone()
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| profile.and_then(|profile| profile.endpoint.clone()))
            .map(|endpoint| endpoint.trim_end_matches('/').to_owned());
        if let Some(endpoint) = &endpoint {
            let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
            if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                return Err(S3Error::Endpoint { endpoint: endpoint.clone() });
            }
        }
        let region = settings
            .region
            .clone()
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| profile.and_then(|profile| profile.region.clone()))
            .unwrap_or_else(|| "us-east-1".to_owned());
        let path_style = settings.path_style.unwrap_or(endpoint.is_some());
        Ok(Access { endpoint, region, path_style })
    }

    /// The store's name for messages.
    fn name(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("the S3 store at {endpoint}"),
            None => format!("Amazon S3 in {}", self.region),
        }
    }

    /// The endpoint with the bucket's name before its host.
    fn with_bucket(&self, bucket: &str) -> Option<String> {
        let (scheme, host) = self.endpoint.as_ref()?.split_once("://")?;
        Some(format!("{scheme}://{bucket}.{host}"))
    }
}

/// The host and port to which requests for objects go.
fn host(bucket: &str, place: &Access) -> String {
    let url = match (&place.endpoint, place.path_style) {
        (Some(endpoint), true) => endpoint.clone(),
        (Some(_), false) => place.with_bucket(bucket).unwrap_or_default(),
        (None, true) => format!("https://s3.{}.amazonaws.com", place.region),
        (None, false) => format!("https://{bucket}.s3.{}.amazonaws.com", place.region),
    };
    url.split_once("://").map_or(url.clone(), |(_, host)| host.to_owned())
}

fn builder(bucket: &str, place: &Access, environment: &Environment) -> AmazonS3Builder {
    let is_http = place.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client = ClientOptions::new().with_allow_http(is_http).with_timeout_disabled();
    let mut builder = AmazonS3Builder::new().with_client_options(client);
    for (name, value) in environment.of_aws() {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
        builder = builder.with_metadata_endpoint(endpoint);
    }
    let endpoint = if place.path_style { place.endpoint.clone() } else { place.with_bucket(bucket) };
    if let Some(endpoint) = endpoint {
        // The builder prefers this key to `AWS_ENDPOINT_URL`, the variable for all services.
        builder = builder.with_config(object_store::aws::AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    builder
        .with_bucket_name(bucket)
        .with_region(&place.region)
        .with_virtual_hosted_style_request(!place.path_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Not every store supports the request that deletes many objects.
        .with_disable_bulk_delete(true)
}

/// The longest time for which a request is tried again.
const RETRY: Duration = Duration::from_secs(120);

/// The longest time for which a request is tried again at startup, where a person waits for the answer.
const QUICK_RETRY: Duration = Duration::from_secs(4);

fn retry(timeout: Duration) -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    // Only the time limits the retries.
    RetryConfig { backoff, max_retries: 1_000, retry_timeout: timeout }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_bucket_and_a_prefix() {
        for (url, bucket, prefix) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://my.b-1/a/b c/", "my.b-1", "a/b c"),
            ("s3://b/x", "b", "x"),
        ] {
            let parsed = S3Url::parse(url).unwrap();
            assert_eq!((parsed.bucket.as_str(), parsed.prefix.as_ref()), (bucket, prefix), "{url}");
        }
        for wrong in ["s3:/b", "s3://", "s3:///x", "s3://b@c/x", "s3://b//x", "file:x"] {
            let told = S3Url::parse(wrong).unwrap_err().to_string();
            assert!(told.contains(wrong) && told.contains("hint: write it like s3://bucket/prefix"), "{told}");
        }
    }

    fn place(settings: S3Settings, variables: &[(&str, &str)]) -> Access {
        Access::find(&settings, &Environment::of(variables), None).unwrap()
    }

    #[test]
    fn a_setting_beats_a_variable_and_an_endpoint_means_path_style() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://all:1"),
            ("AWS_ENDPOINT_URL_S3", "http://s3:2/"),
            ("AWS_DEFAULT_REGION", "far"),
            ("AWS_REGION", "near"),
        ];
        let found = place(S3Settings::default(), &variables);
        assert_eq!(
            (found.endpoint.as_deref(), found.region.as_str(), found.path_style),
            (Some("http://s3:2"), "near", true)
        );
        let settings = S3Settings {
            endpoint: Some("https://mine".to_owned()),
            region: Some("here".to_owned()),
            path_style: Some(false),
        };
        let found = place(settings, &variables);
        assert_eq!(
            (found.endpoint.as_deref(), found.region.as_str(), found.path_style),
            (Some("https://mine"), "here", false)
        );
        assert_eq!(host("b", &found), "b.mine");
        let amazon = place(S3Settings::default(), &[]);
        assert_eq!((amazon.endpoint.as_deref(), amazon.path_style), (None, false));
        assert_eq!(host("b", &amazon), "b.s3.us-east-1.amazonaws.com");
    }

    #[test]
    fn an_endpoint_is_a_host_with_its_scheme() {
        for wrong in ["127.0.0.1:9000", "http://", "ftp://x", "http://host/path"] {
            let settings = S3Settings { endpoint: Some(wrong.to_owned()), ..S3Settings::default() };
            let told = Access::find(&settings, &Environment::of(&[]), None).unwrap_err().to_string();
            assert!(told.contains(wrong) && told.contains("hint: "), "{told}");
        }
    }
}
