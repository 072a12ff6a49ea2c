//! Amazon's shared files, `~/.aws/credentials` and `~/.aws/config`, as far as a table needs them: a profile's keys,
//! region and endpoint.
//!
//! `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` name other files, `AWS_PROFILE` another profile than
//! `default`. Profiles that get their credentials by running something (single sign-on, a process, a role to assume)
//! are refused with an error; Amazon's own tool can turn them into variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use object_store::aws::AwsCredential;

use super::{Environment, S3Error};

/// A file that may hold the profile.
#[derive(Clone, Debug)]
pub(super) struct ProfileFiles {
    name: String,
    credentials: PathBuf,
    config: PathBuf,
}

/// A profile as it stands in the files.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) files: ProfileFiles,
    pub(super) credential: Option<AwsCredential>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
}

/// Each file's time of change and length, to see when it changed.
pub(super) type Stamp = [Option<(SystemTime, u64)>; 2];

/// Settings of profiles that get their keys by running something.
const BY_RUNNING: [&str; 4] = ["sso_session", "sso_start_url", "credential_process", "role_arn"];

impl Profile {
    /// Loads the profile that the environment selects. `None` if the files or the profile do not exist and
    /// `AWS_PROFILE` is not set.
    pub(super) fn load(environment: &Environment) -> Result<Option<Profile>, S3Error> {
        let file = |variable: &str, name: &str| match environment.get(variable) {
            Some(path) => Some(PathBuf::from(path)),
            None => {
                Some(PathBuf::from(environment.get("HOME").or(environment.get("USERPROFILE"))?).join(".aws").join(name))
            }
        };
        let asked = environment.get("AWS_PROFILE");
        let (Some(credentials), Some(config)) =
            (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), file("AWS_CONFIG_FILE", "config"))
        else {
            return Ok(None);
        };
        let files = ProfileFiles { name: asked.unwrap_or("default").to_owned(), credentials, config };
        let found = files.read()?;
        if found.is_none() && asked.is_some() {
            return Err(files.refuse("neither file has it"));
        }
        Ok(found)
    }
}

impl ProfileFiles {
    /// Reads both files again.
    pub(super) fn read(&self) -> Result<Option<Profile>, S3Error> {
        let (credentials, config) = (self.sections(&self.credentials)?, self.sections(&self.config)?);
        let in_config = match self.name.as_str() {
            "default" => config.get("default").or_else(|| config.get("profile default")),
            name => config.get(&format!("profile {name}")),
        };
        let in_credentials = credentials.get(&self.name);
        if in_config.is_none() && in_credentials.is_none() {
            return Ok(None);
        }
        let value = |key: &str| {
            let value = in_credentials.and_then(|section| section.get(key));
            value.or_else(|| in_config.and_then(|section| section.get(key))).cloned()
        };
        let credential = match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(key_id), Some(secret_key)) => {
                Some(AwsCredential { key_id, secret_key, token: value("aws_session_token") })
            }
            (None, None) => match BY_RUNNING.into_iter().find(|key| value(key).is_some()) {
                Some(key) => return Err(self.refuse(&format!("fedilake does not support {key}"))),
                None => None,
            },
            _ => return Err(self.refuse("it has a key without a secret, or a secret without a key")),
        };
        let of_s3 =
            value("services").and_then(|name| config.get(&format!("services {name}"))?.get("s3.endpoint_url").cloned());
        let endpoint = of_s3.or_else(|| value("endpoint_url"));
        Ok(Some(Profile { files: self.clone(), credential, region: value("region"), endpoint }))
    }

    /// The current stamp: differs when a file has changed.
    pub(super) fn stamp(&self) -> Stamp {
        [&self.credentials, &self.config].map(|path| {
            let metadata = path.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    fn sections(&self, path: &Path) -> Result<Sections, S3Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(sections(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Sections::new()),
            Err(error) => Err(self.refuse(&format!("{}: {error}", path.display()))),
        }
    }

    fn refuse(&self, why: &str) -> S3Error {
        let files = format!("{} and {}", self.credentials.display(), self.config.display());
        S3Error::Profile { name: self.name.clone(), files, why: why.to_owned() }
    }
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Parses `[section]` and `key = value`. An indented `key = value` below a key without a value is named
/// `outer.inner`. A line that begins with # or ; is a comment, and so is the rest of a line after a space and # or ;.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let (mut section, mut outer) = (String::new(), String::new());
    for line in text.lines() {
        let is_inner = line.starts_with([' ', '\t']);
        let line = without_comment(line.trim());
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.split_whitespace().collect::<Vec<_>>().join(" ");
            sections.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            let key = if is_inner && !outer.is_empty() { format!("{outer}.{key}") } else { key };
            if !is_inner {
                outer = if value.is_empty() { key.clone() } else { String::new() };
            }
            if let Some(section) = sections.get_mut(&section).filter(|_| !value.is_empty()) {
                section.insert(key, value.to_owned());
            }
        }
    }
    sections
}

fn without_comment(line: &str) -> &str {
    if line.starts_with(['#', ';']) {
        return "";
    }
    let comment = [" #", " ;", "\t#", "\t;"].into_iter().filter_map(|mark| line.find(mark)).min();
    line[..comment.unwrap_or(line.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(credentials: &str, config: &str) -> Files {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("credentials"), credentials).unwrap();
            std::fs::write(folder.path().join("config"), config).unwrap();
            Files(folder)
        }

        fn load(&self, profile: Option<&str>) -> Result<Option<Profile>, S3Error> {
            let path = |name: &str| self.0.path().join(name).display().to_string();
            let (credentials, config) = (path("credentials"), path("config"));
            let mut variables =
                vec![("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()), ("AWS_CONFIG_FILE", config.as_str())];
            variables.extend(profile.map(|name| ("AWS_PROFILE", name)));
            Profile::load(&Environment::of(&variables))
        }
    }

    const CREDENTIALS: &str = "
# mine
[default]
aws_access_key_id = A1
aws_secret_access_key=s+/cr=t # not this
; theirs
[ other ]
AWS_Access_Key_Id = A2
aws_secret_access_key = s2
aws_session_token = t2
[half]
aws_access_key_id = A3
";

    const CONFIG: &str = "
[default]
region = eu-north-1
s3 =
  max_concurrent_requests = 20
  endpoint_url = http://not-this
[profile other]
region = us-west-2
services = local
endpoint_url = http://all
[profile sso]
sso_session = work
[services local]
dynamodb =
  endpoint_url = http://dynamo
s3 =
  endpoint_url = http://s3:9000
";

    #[test]
    fn a_profile_gives_its_keys_its_region_and_its_endpoint() {
        let files = Files::new(CREDENTIALS, CONFIG);
        let default = files.load(None).unwrap().unwrap();
        let credential = default.credential.unwrap();
        assert_eq!(
            (credential.key_id.as_str(), credential.secret_key.as_str(), credential.token),
            ("A1", "s+/cr=t", None)
        );
        assert_eq!((default.region.as_deref(), default.endpoint), (Some("eu-north-1"), None));

        let other = files.load(Some("other")).unwrap().unwrap();
        assert_eq!(other.credential.unwrap().token.as_deref(), Some("t2"));
        assert_eq!((other.region.as_deref(), other.endpoint.as_deref()), (Some("us-west-2"), Some("http://s3:9000")));
    }

    #[test]
    fn a_profile_that_cannot_serve_is_refused_by_name() {
        let files = Files::new(CREDENTIALS, CONFIG);
        for (name, why) in [("none", "neither file has it"), ("sso", "sso_session"), ("half", "a key without a secret")]
        {
            let told = files.load(Some(name)).unwrap_err().to_string();
            assert!(
                told.contains(&format!("profile {name}")) && told.contains(why) && told.contains("hint: "),
                "{told}"
            );
        }
        assert!(Files::new("", "").load(None).unwrap().is_none());
    }
}
