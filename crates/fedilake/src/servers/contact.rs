//! The operator's contact: servers that are not on this machine are not read without one.
//!
//! It is part of the User-Agent of every request, so that a server's admin learns who reads there and can ask to stop. On a
//! terminal it is asked for once and written into the settings file.

use std::fs;
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fedilake_collect::ServerAddress;

use crate::settings::Again;
use crate::settings::{self, Settings, key};
use crate::telemetry;

/// How often an answer that is no contact is asked for again.
const ASKED_MAX: u32 = 3;

/// True if the server may be read with these settings.
pub fn allows(settings: &Settings, address: &ServerAddress) -> bool {
    !settings.get(key::COLLECT_CONTACT).trim().is_empty() || address.is_loopback()
}

/// Fails if one of the servers may not be read, for want of a contact.
pub fn require<'a>(settings: &Settings, mut servers: impl Iterator<Item = &'a ServerAddress>) -> anyhow::Result<()> {
    match servers.find(|address| !allows(settings, address)) {
        None => Ok(()),
        Some(address) => bail!(
            "{} is not read without a contact: its admin must be able to ask who reads there\n\
             hint: --contact you@example.org, or contact = \"you@example.org\" below [collect] in fedilake.toml, \
             a URL or an e-mail address",
            address.server
        ),
    }
}

/// The settings with a contact, if one of the servers needs it. On a terminal a missing one is asked for, and stored.
pub fn settle<'a>(
    settings: &Settings,
    again: &Again,
    servers: impl Iterator<Item = &'a ServerAddress>,
) -> anyhow::Result<Settings> {
    let missing = require(settings, servers);
    if missing.is_ok() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return missing.map(|()| settings.clone());
    }
    let contact = ask(&mut std::io::stdin().lock(), &mut telemetry::say)?;
    let file = again.file.clone().or_else(settings::default_file).or_else(|| settings::default_files().pop());
    let file =
        file.context("find the platform's configuration folder\nhint: name a settings file with --config FILE")?;
    store(&file, &contact).with_context(|| {
        format!(
            "store the contact in {}\nhint: write it there yourself: contact = {contact:?} below [collect]",
            file.display()
        )
    })?;
    telemetry::say(&format!("contact {contact} is stored in {}", file.display()));
    Ok(settings.with(key::COLLECT_CONTACT, contact))
}

fn ask(answers: &mut impl BufRead, say: &mut dyn FnMut(&str)) -> anyhow::Result<String> {
    say("Servers learn who reads them: a URL or an e-mail address of yours is part of every request.");
    for _ in 0..ASKED_MAX {
        say("contact (once; it is stored in the settings file):");
        let mut line = String::new();
        if answers.read_line(&mut line).context("read the contact")? == 0 {
            break;
        }
        let answer = line.trim();
        if is_contact(answer) {
            return Ok(answer.to_owned());
        }
        say(&format!(
            "`{answer}` is neither: expected a URL such as https://example.org/about or an address such as you@example.org"
        ));
    }
    bail!("no contact was given")
}

/// True for what looks like a web page or an e-mail address.
fn is_contact(text: &str) -> bool {
    let is_line = !text.contains(|c: char| c.is_whitespace() || c.is_control()) && text.is_ascii();
    let host = match (text.split_once("://"), text.split_once('@')) {
        (Some(("http" | "https", rest)), _) => rest.split('/').next(),
        (None, Some((user, host))) if !user.is_empty() && !host.contains('@') => Some(host),
        _ => None,
    };
    is_line && host.is_some_and(|host| host.contains('.') && !host.starts_with('.') && !host.ends_with('.'))
}

/// Writes the contact into a settings file, which is made if it is not there. All else in it stays as it is.
fn store(file: &Path, contact: &str) -> anyhow::Result<()> {
    let before = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let after = with_contact(&before, contact);
    let set = |text: &str| {
        let table: toml::Table = text.parse().ok()?;
        Some(table.get("collect")?.get("contact")?.as_str()? == contact)
    };
    if set(&after) != Some(true) {
        bail!("its [collect] is written in a way that cannot be added to");
    }
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    replace(file, &after)
}

/// The text of a settings file with the contact in it: below `[collect]`, else at the top.
fn with_contact(text: &str, contact: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let header = lines.iter().position(|line| line.split('#').next().unwrap_or_default().trim() == "[collect]");
    let (from, key) = match header {
        Some(header) => (header + 1, "contact"),
        None => (0, "collect.contact"),
    };
    let own = format!("{key} = {}", toml::Value::from(contact));
    let length = lines[from..].iter().position(|line| line.trim_start().starts_with('['));
    let (table, rest) = lines[from..].split_at(length.unwrap_or(lines.len() - from));
    // An empty one may be there already.
    let is_contact =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let mut after: Vec<&str> = lines[..from].to_vec();
    after.push(&own);
    after.extend(table.iter().filter(|line| !is_contact(line)));
    after.extend(rest);
    after.join("\n") + "\n"
}

/// Puts a file's new text in its place at once, with the permissions that it had.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    // A link goes on to lead to the file.
    let real: PathBuf = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let beside = real.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut out = fs::File::create(&beside)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        if let Ok(there) = fs::metadata(&real) {
            fs::set_permissions(&beside, there.permissions())?;
        }
        fs::rename(&beside, &real)
    })();
    if written.is_err() {
        // The first error explains more.
        let _ = fs::remove_file(&beside);
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use fedilake_collect::server::address;

    use super::*;

    #[test]
    fn a_server_elsewhere_needs_a_contact_and_one_on_this_machine_does_not() {
        let settings = Settings::load(None, [], &[]).unwrap();
        let parsed = |typed: &str| address::parse(typed).unwrap();
        for here in ["http://127.0.0.1:4000", "localhost:4000", "http://[::1]:1", "http://127.9.9.9"] {
            require(&settings, [parsed(here)].iter()).unwrap();
        }
        for there in ["a.example", "http://10.0.0.1", "localhost.example", "http://[::2]"] {
            let servers = [parsed("http://127.0.0.1:4000"), parsed(there)];
            let error = require(&settings, servers.iter()).unwrap_err().to_string();
            assert!(error.contains("without a contact") && error.contains("hint: --contact"), "{error}");
            require(&settings.with(key::COLLECT_CONTACT, "a@b.example".to_owned()), servers.iter()).unwrap();
        }
    }

    #[test]
    fn an_answer_that_is_no_contact_is_asked_for_again() {
        let asked = |answers: &str| {
            let mut said = Vec::new();
            (ask(&mut answers.as_bytes(), &mut |text| said.push(text.to_owned())).ok(), said.len())
        };
        assert_eq!(asked("https://example.org/about\n"), (Some("https://example.org/about".to_owned()), 2));
        assert_eq!(asked("no\n\n you@example.org \n"), (Some("you@example.org".to_owned()), 6));
        assert_eq!(asked("a\nb\nc\nyou@example.org\n").0, None);
        assert_eq!(asked("").0, None);
        for wrong in ["@", "a@", "@b.c", "a@b", "https://", "ftp://a.b", "a b@c.d", "a@b.c@d.e", "ä@b.c", "a@.b"] {
            assert!(!is_contact(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_contact_is_stored_beside_all_else_in_a_settings_file() {
        let folder = tempfile::tempdir().unwrap();
        for (at, text) in [
            "",
            "listen = '127.0.0.1:1'\n",
            "# mine\n[collect] # servers\nservers = ['a.example']\n\n[sql]\nseconds_max = 5\n",
            "[sql]\nseconds_max = 5\n[collect]",
            "collect.servers = ['a.example']\nlisten = '127.0.0.1:1'\n[sql]\nseconds_max = 5",
            "[collect]\ncontact = ''\nservers = ['a.example']\n",
            "collect.contact = ''\n",
        ]
        .into_iter()
        .enumerate()
        {
            let file = folder.path().join(format!("new-{at}/fedilake.toml"));
            fs::create_dir(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            store(&file, "a\"b@c.example").unwrap();
            let stored = fs::read_to_string(&file).unwrap();
            let mut table: toml::Table = stored.parse().unwrap();
            let collect = table["collect"].as_table_mut().unwrap();
            assert_eq!(collect.remove("contact").unwrap().as_str(), Some("a\"b@c.example"), "{stored}");
            let mut before: toml::Table = text.parse().unwrap();
            let mut own = before.remove("collect").and_then(|own| own.as_table().cloned()).unwrap_or_default();
            own.remove("contact");
            assert_eq!((table.remove("collect").unwrap().as_table(), &table), (Some(&own), &before), "{stored}");
            assert!(text.lines().filter(|line| line.starts_with('#')).all(|line| stored.contains(line)));
            assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        }
        let inline = folder.path().join("inline.toml");
        fs::write(&inline, "collect = {servers = []}\n").unwrap();
        assert!(store(&inline, "a@b.example").is_err());
        assert_eq!(fs::read_to_string(&inline).unwrap(), "collect = {servers = []}\n");
        let made = folder.path().join("config/fedilake/fedilake.toml");
        store(&made, "a@b.example").unwrap();
        assert_eq!(fs::read_to_string(&made).unwrap(), "collect.contact = \"a@b.example\"\n");
    }
}
