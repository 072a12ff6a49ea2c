//! Credentials for S3. The first source that exists is used: the variables `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY`, a web identity, the profile of the shared files, the container's and the machine's
//! metadata service. All but the profile are implemented by object_store.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};

use super::profile::{Profile, ProfileFiles, Stamp};
use super::{Environment, S3Error};

/// A source of credentials.
#[derive(Clone, Debug)]
pub(super) enum CredentialSource {
    /// The key in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Key,
    /// The source that other variables name: a web identity, a container's service, or unsigned requests.
    Variables,
    /// The profile of the shared files.
    Profile(Arc<FromFiles>),
    /// The machine's metadata service, tried last.
    Machine,
    /// No source, and the variables forbid asking the machine's metadata service.
    Nowhere,
}

impl CredentialSource {
    pub(super) fn find(environment: &Environment, profile: Option<Profile>) -> Result<CredentialSource, S3Error> {
        let has = |name: &str| environment.get(name).is_some();
        match (has("AWS_ACCESS_KEY_ID"), has("AWS_SECRET_ACCESS_KEY")) {
            (true, true) => return Ok(CredentialSource::Key),
            (true, false) => {
                return Err(S3Error::Half { missing: "AWS_SECRET_ACCESS_KEY", there: "AWS_ACCESS_KEY_ID" });
            }
            (false, true) => {
                return Err(S3Error::Half { missing: "AWS_ACCESS_KEY_ID", there: "AWS_SECRET_ACCESS_KEY" });
            }
            (false, false) => {}
        }
        if environment.is_true("AWS_SKIP_SIGNATURE") || (has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN")) {
            return Ok(CredentialSource::Variables);
        }
        if let Some(Profile { files, credential: Some(credential), .. }) = profile {
            return Ok(CredentialSource::Profile(Arc::new(FromFiles::new(files, credential))));
        }
        if has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || has("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            return Ok(CredentialSource::Variables);
        }
        if environment.is_true("AWS_EC2_METADATA_DISABLED") {
            return Ok(CredentialSource::Nowhere);
        }
        Ok(CredentialSource::Machine)
    }

    /// The provider of the profile's keys or of none; `None` if object_store provides them.
    pub(super) fn provider(&self) -> Option<AwsCredentialProvider> {
        match self {
            CredentialSource::Profile(files) => Some(Arc::clone(files) as AwsCredentialProvider),
            CredentialSource::Nowhere => Some(Arc::new(Nobody)),
            CredentialSource::Key | CredentialSource::Variables | CredentialSource::Machine => None,
        }
    }

    /// Why there are no credentials, for people.
    pub(super) fn why_not(&self, error: &object_store::Error) -> String {
        match self {
            CredentialSource::Key | CredentialSource::Variables => {
                format!("the variables name a source that does not answer: {error}")
            }
            CredentialSource::Profile(_) => error.to_string(),
            CredentialSource::Machine => {
                "neither the variables nor the shared files have any, nor has this machine's metadata service"
                    .to_owned()
            }
            CredentialSource::Nowhere => {
                "neither the variables nor the shared files have any, and AWS_EC2_METADATA_DISABLED is set".to_owned()
            }
        }
    }
}

/// The keys of a profile. The files are read again when they changed, because tools that renew short-lived keys write
/// them there.
#[derive(Debug)]
pub(super) struct FromFiles {
    files: ProfileFiles,
    known: Mutex<(Stamp, Arc<AwsCredential>)>,
}

impl FromFiles {
    fn new(files: ProfileFiles, credential: AwsCredential) -> FromFiles {
        let known = Mutex::new((files.stamp(), Arc::new(credential)));
        FromFiles { files, known }
    }
}

#[async_trait]
impl CredentialProvider for FromFiles {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let stamp = self.files.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != stamp
            // A file that is being written may lack the keys: use the old keys until it has them.
            && let Ok(Some(Profile { credential: Some(credential), .. })) = self.files.read()
        {
            *known = (stamp, Arc::new(credential));
        }
        Ok(Arc::clone(&known.1))
    }
}

/// A provider that has no credentials.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl CredentialProvider for Nobody {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Err(object_store::Error::Generic { store: "S3", source: "there are no credentials".into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changed_files_give_their_new_keys_and_broken_ones_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let write = |key: &str| {
            std::fs::write(&path, format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n"))
                .unwrap();
        };
        write("A");
        let (there, nowhere) = (path.display().to_string(), folder.path().join("none").display().to_string());
        let variables = [("AWS_SHARED_CREDENTIALS_FILE", there.as_str()), ("AWS_CONFIG_FILE", nowhere.as_str())];
        let environment = Environment::of(&variables);
        let source = CredentialSource::find(&environment, Profile::load(&environment).unwrap()).unwrap();
        let provider = source.provider().unwrap();
        let key = async || provider.get_credential().await.unwrap().key_id.clone();
        assert_eq!(key().await, "A");
        write("longer");
        assert_eq!(key().await, "longer");
        std::fs::write(&path, "[default]\naws_access_").unwrap();
        assert_eq!(key().await, "longer");
    }

    #[test]
    fn variables_come_before_files_and_half_of_them_are_refused() {
        let find = |variables: &[(&str, &str)]| CredentialSource::find(&Environment::of(variables), None);
        let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert!(matches!(find(&both), Ok(CredentialSource::Key)));
        assert!(find(&both[..1]).unwrap_err().to_string().contains("AWS_SECRET_ACCESS_KEY"));
        assert!(find(&both[1..]).unwrap_err().to_string().contains("AWS_ACCESS_KEY_ID"));
        assert!(matches!(find(&[("AWS_EC2_METADATA_DISABLED", "TRUE")]), Ok(CredentialSource::Nowhere)));
        assert!(matches!(find(&[]), Ok(CredentialSource::Machine)));
    }
}
