//! Errors of a store, with hints what to do.

use object_store::Error as StoreError;

/// Why a table on S3 cannot be used. Each message has a hint.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the message of their variant names")]
pub enum S3Error {
    /// The URL is not of the form `s3://bucket/prefix`.
    #[error("invalid S3 URL {url:?}: {why}\nhint: write it like s3://bucket/prefix")]
    Url { url: String, why: String },
    /// The endpoint is not a URL of a host.
    #[error(
        "invalid S3 endpoint {endpoint:?}\nhint: write it like http://127.0.0.1:9000 or https://s3.example, without bucket and path"
    )]
    Endpoint { endpoint: String },
    /// One of two variables is missing.
    #[error("{there} is set and {missing} is not\nhint: set both, or neither to use the shared files' profile")]
    Half { missing: &'static str, there: &'static str },
    /// The profile cannot be used.
    #[error(
        "profile {name} of {files}: {why}\nhint: `aws configure export-credentials --profile {name} --format env` turns a \
         profile into variables"
    )]
    Profile { name: String, files: String, why: String },
    /// No source of credentials has any.
    #[error(
        "there are no credentials for {store}: {why}\nhint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )]
    NoCredentials { store: String, why: String },
    /// The store does not answer.
    #[error("{store} does not answer: {why}\nhint: {}", unreachable_hint(.store))]
    Unreachable { store: String, why: String },
    /// The store has no such bucket.
    #[error("{store} has no bucket {bucket}\nhint: make the bucket, or correct its name in the table's URL")]
    NoBucket { store: String, bucket: String },
    /// The store denies access.
    #[error("{store} refuses bucket {bucket}: {why}\nhint: {}", refused_hint(.code))]
    Refused { store: String, bucket: String, code: String, why: String },
    /// The bucket is in another region.
    #[error(
        "bucket {bucket} is not in the region in which {store} was asked for it: {why}\n\
         hint: name its region with the setting table.s3_region or AWS_REGION"
    )]
    Region { store: String, bucket: String, why: String },
    /// The store overwrites existing objects in spite of `If-None-Match`.
    #[error(
        "{store} does not honour If-None-Match: it lets two writers put the same file, so posts could be lost\n\
         hint: use a store with conditional writes, as Amazon S3, MinIO, Ceph and versitygw have them; some need a newer version"
    )]
    NoConditionalPut { store: String },
    /// Any other error.
    #[error("{store}: {why}")]
    Other { store: String, why: String },
}

impl S3Error {
    /// Translates an error of object_store.
    pub(super) fn of(error: &StoreError, store: &str, bucket: &str) -> S3Error {
        let (store, bucket) = (store.to_owned(), bucket.to_owned());
        let Answer { code, message } = Answer::of(error);
        let why = if message.is_empty() { code.clone() } else { format!("{code}: {message}") };
        match code.as_str() {
            "NoSuchBucket" => S3Error::NoBucket { store, bucket },
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                S3Error::Region { store, bucket, why }
            }
            "NotImplemented" => S3Error::NoConditionalPut { store },
            _ if REFUSALS.iter().any(|(refusal, _)| *refusal == code) => S3Error::Refused { store, bucket, code, why },
            _ if is_refusal(error) => {
                let why = if why.is_empty() { "the store gives no reason".to_owned() } else { why };
                S3Error::Refused { store, bucket, code, why }
            }
            "" => match error {
                StoreError::NotFound { .. } => S3Error::NoBucket { store, bucket },
                _ => match cause(error) {
                    why if why.contains("LOCATION") => S3Error::Region { store, bucket, why },
                    why => S3Error::Unreachable { store, why },
                },
            },
            _ => S3Error::Other { store, why },
        }
    }
}

/// The hint for an error of a running table's store; `None` if the error says enough.
pub fn store_hint(error: &StoreError) -> Option<String> {
    let Answer { code, .. } = Answer::of(error);
    let known = REFUSALS.iter().find(|(refusal, _)| *refusal == code);
    known.map(|(_, hint)| (*hint).to_owned())
}

/// S3's codes for a refusal, each with its hint.
const REFUSALS: [(&str, &str); 10] = [
    ("InvalidAccessKeyId", KEY_HINT),
    // The code that versitygw uses.
    ("XAdminUserNotFound", KEY_HINT),
    ("SignatureDoesNotMatch", "the secret does not belong to the key: check AWS_SECRET_ACCESS_KEY, or the profile's"),
    ("AccessDenied", "the key needs permission to list the bucket, and to get and put below the table's prefix"),
    ("AllAccessDisabled", "the bucket is closed: ask its owner"),
    ("ExpiredToken", EXPIRED_HINT),
    ("TokenRefreshRequired", EXPIRED_HINT),
    ("InvalidToken", EXPIRED_HINT),
    ("RequestTimeTooSkewed", "this machine's clock and the store's differ by more than 15 minutes: correct it"),
    ("RequestExpired", "this machine's clock and the store's differ by more than 15 minutes: correct it"),
];

const KEY_HINT: &str =
    "the store does not know the key: check AWS_ACCESS_KEY_ID, or the profile that AWS_PROFILE names";
const EXPIRED_HINT: &str = "the session has expired: renew it where the credentials come from";

fn refused_hint(code: &str) -> &'static str {
    REFUSALS.iter().find(|(refusal, _)| *refusal == code).map_or(KEY_HINT, |(_, hint)| hint)
}

fn unreachable_hint(store: &str) -> &'static str {
    if store.starts_with("Amazon") {
        "a store of your own is named with the setting table.s3_endpoint or AWS_ENDPOINT_URL_S3"
    } else {
        "check that it runs, and the setting table.s3_endpoint or AWS_ENDPOINT_URL_S3"
    }
}

/// True if the store answered 401 or 403. For a failed listing, only the error's text contains the status.
fn is_refusal(error: &StoreError) -> bool {
    let text = error.to_string();
    ["status code: 401", "status code: 403"].iter().any(|status| text.contains(status))
}

/// The code and message of the store's answer; empty if there was no answer.
struct Answer {
    code: String,
    message: String,
}

impl Answer {
    /// S3 answers an error with `<Error><Code>…</Code><Message>…</Message>…`, which object_store passes on as text.
    fn of(error: &StoreError) -> Answer {
        let text = error.to_string();
        let element = |name: &str| {
            let rest = text.split_once(&format!("<{name}>"))?.1;
            Some(rest.split_once(&format!("</{name}>"))?.0.trim().to_owned())
        };
        Answer { code: element("Code").unwrap_or_default(), message: element("Message").unwrap_or_default() }
    }
}

/// The innermost cause, whose message is the shortest.
fn cause(error: &StoreError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
