//! The settings below `consent` → what is admitted: the policy, its key and the list of those who opted out.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use fedilake_collect::OptOut;
use fedilake_collect::admission::{Admission, Key, Policy};
use rand::RngCore;

use crate::identity::Identity;
use crate::secret;
use crate::settings::{self, Settings, key};
use crate::task::Task;

/// The interval at which the list is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A longer list is no list.
const OPT_OUT_BYTES_MAX: u64 = 64 << 20;

/// The admission that the settings ask for. Makes the key's file if the policy needs a key and there is none.
pub fn admission(settings: &Settings) -> anyhow::Result<Admission> {
    let policy = settings.get(key::CONSENT_POLICY);
    let policy = Policy::parse(policy).with_context(|| format!("setting consent.policy = {policy:?}"))?;
    let admission = Admission::new(policy, key(policy, settings)?);
    if let Some(path) = opt_out_file(settings) {
        admission.set_opt_out(read_opt_out(&path)?);
    }
    Ok(admission)
}

/// Reads the list of those who opted out again whenever it changes, if the settings name one.
pub fn following(admission: &Admission, settings: &Settings) -> Option<Task> {
    let path = opt_out_file(settings)?;
    let admission = admission.clone();
    Some(Task::until_dropped("the opt-out list", async move {
        // The list may have changed since it was read.
        let mut seen = None;
        let mut looks = tokio::time::interval(LOOK_AGAIN);
        loop {
            looks.tick().await;
            let stamp = Stamp::of(&path);
            if seen.as_ref() != Some(&stamp) {
                take(&path, &admission);
                seen = Some(stamp);
            }
        }
    }))
}

fn take(path: &Path, admission: &Admission) {
    match read_opt_out(path) {
        Ok(opt_out) if opt_out != *admission.opt_out() => {
            tracing::info!(
                "opt-out list read again: {} accounts, {} domains",
                opt_out.accounts().count(),
                opt_out.domains().count()
            );
            admission.set_opt_out(opt_out);
        }
        Ok(_) => {}
        Err(error) => tracing::warn!("the opt-out list stays as it was: {error:#}"),
    }
}

/// The file at a path, and its content as far as a look tells; none if there is no file.
#[derive(PartialEq, Eq)]
struct Stamp(Option<(Identity, u64, Option<SystemTime>)>);

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let found = fs::metadata(path).and_then(|found| Ok((Identity::at(path)?, found.len(), found.modified().ok())));
        Stamp(found.ok())
    }
}

fn opt_out_file(settings: &Settings) -> Option<PathBuf> {
    Some(settings.get(key::CONSENT_OPT_OUT)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn read_opt_out(path: &Path) -> anyhow::Result<OptOut> {
    let context = || format!("read the opt-out list {}", path.display());
    let bytes = fs::metadata(path).with_context(context)?.len();
    if bytes > OPT_OUT_BYTES_MAX {
        bail!("read the opt-out list {}: it is longer than {OPT_OUT_BYTES_MAX} bytes", path.display());
    }
    OptOut::parse(&fs::read_to_string(path).with_context(context)?).with_context(context)
}

/// The key, which is made if the policy needs it. Other policies have it too if it is there: an earlier one may have hashed.
fn key(policy: Policy, settings: &Settings) -> anyhow::Result<Option<Key>> {
    let path = match (settings.get(key::CONSENT_KEY_FILE), settings::platform_config()) {
        ("", Some(folder)) => folder.join("consent.key"),
        ("", None) if policy == Policy::Indexable => {
            bail!(
                "find the platform's configuration folder\nhint: give a file for the key in the setting consent.key_file"
            )
        }
        ("", None) => return Ok(None),
        (path, _) => PathBuf::from(path),
    };
    if !path.try_exists().with_context(|| format!("look for the key {}", path.display()))? {
        if policy != Policy::Indexable {
            return Ok(None);
        }
        refuse_within(&settings.data()?, &path)?;
        make(&path).with_context(|| format!("make the key {}", path.display()))?;
        tracing::info!(
            "made the key for hashed posts: {}; keep a copy, without it their deletes do not match",
            path.display()
        );
    }
    refuse_within(&settings.data()?, &path)?;
    let text = secret::read(&path).with_context(|| format!("read the key {}", path.display()))?;
    match bytes(text.trim()) {
        Some(bytes) => Ok(Some(Key::new(&bytes))),
        None => bail!(
            "{} does not contain a key: expected {} hexadecimal digits\n\
             hint: to begin with a new key, move the file away; deletes of posts that were hashed with the old key then do not match",
            path.display(),
            2 * Key::BYTES
        ),
    }
}

/// Refuses a key beside the data that it protects: who copies the folder would have both.
fn refuse_within(data: &Path, path: &Path) -> anyhow::Result<()> {
    let whole = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // The file need not be there, nor its folder.
        let there = absolute.ancestors().find_map(|above| Some((fs::canonicalize(above).ok()?, above)));
        match there {
            Some((real, above)) => real.join(absolute.strip_prefix(above).unwrap_or(Path::new(""))),
            None => absolute,
        }
    };
    if whole(path).starts_with(whole(data)) {
        bail!(
            "the key {} would lie in the data folder, beside what it protects\n\
             hint: name a file elsewhere in the setting consent.key_file",
            path.display()
        );
    }
    Ok(())
}

/// Writes a new key for its user alone. Of two processes that make it at once, the first one's counts.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut bytes = [0; Key::BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Whole under its name, or not there: a reader never finds half a key.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = write_private(&beside, &digits).and_then(|()| fs::hard_link(&beside, path));
    // An unlinked leftover harms nobody.
    let _ = fs::remove_file(&beside);
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(()),
        written => written,
    }
}

fn write_private(path: &Path, digits: &str) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{digits}\n").as_bytes())?;
    file.sync_all()
}

fn bytes(digits: &str) -> Option<[u8; Key::BYTES]> {
    let mut bytes = [0; Key::BYTES];
    if digits.len() != 2 * bytes.len() || !digits.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(data: &Path, key: &Path, policy: &str) -> Settings {
        let settings = Settings::load(None, [], &[]).unwrap();
        let settings = settings.with(key::DATA, data.display().to_string());
        let settings = settings.with(key::CONSENT_KEY_FILE, key.display().to_string());
        settings.with(key::CONSENT_POLICY, policy.to_owned())
    }

    #[test]
    fn a_key_is_made_once_for_its_user_alone_and_only_if_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let (data, key_file) = (folder.path().join("d"), folder.path().join("config/consent.key"));
        for policy in ["open", "strict"] {
            admission(&settings(&data, &key_file, policy)).unwrap();
            assert!(!key_file.exists(), "{policy}");
        }
        admission(&settings(&data, &key_file, "indexable")).unwrap();
        let made = fs::read_to_string(&key_file).unwrap();
        assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(key_file.parent().unwrap()).unwrap().count(), 1);
        assert!(bytes(made.trim()).is_some_and(|bytes| bytes != [0; Key::BYTES]));
        for policy in ["open", "indexable"] {
            let settings = settings(&data, &key_file, policy);
            assert!(key(Policy::parse(policy).unwrap(), &settings).unwrap().is_some(), "{policy}");
        }
        assert_eq!(fs::read_to_string(&key_file).unwrap(), made);
    }

    #[test]
    fn a_key_within_the_data_folder_or_of_another_shape_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d");
        fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&data, folder.path().join("link")).unwrap();
        for within in [data.join("consent.key"), data.join("a/b"), folder.path().join("link/key")] {
            let error = admission(&settings(&data, &within, "indexable")).unwrap_err().to_string();
            assert!(error.contains("would lie in the data folder"), "{error}");
            assert!(!within.exists());
        }
        let other = folder.path().join("key");
        fs::write(&other, "abc").unwrap();
        let error = admission(&settings(&data, &other, "open")).unwrap_err().to_string();
        assert!(error.contains("does not contain a key") && !error.contains("abc"), "{error}");
    }

    #[tokio::test]
    async fn a_changed_list_counts_and_a_wrong_one_leaves_it_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("opt-out.txt");
        fs::write(&list, "one.example\n").unwrap();
        let settings = Settings::load(None, [], &[]).unwrap().with(key::CONSENT_OPT_OUT, list.display().to_string());
        let admission = admission(&settings).unwrap();
        assert!(admission.opt_out().has("a@one.example", "one.example"));
        for (text, one, two) in [("two.example\n", false, true), ("no host\n", false, true), ("", false, false)] {
            fs::write(&list, text).unwrap();
            take(&list, &admission);
            let listed = admission.opt_out();
            assert_eq!(
                (listed.has("a@one.example", "one.example"), listed.has("a@two.example", "two.example")),
                (one, two)
            );
        }
        fs::remove_file(&list).unwrap();
        take(&list, &admission);
        assert!(Stamp::of(&list) == Stamp(None));
    }
}
