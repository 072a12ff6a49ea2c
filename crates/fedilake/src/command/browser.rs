//! Opens a page in the browser of the person at this machine.

use std::ffi::OsString;
use std::io::IsTerminal;

/// Opens `url` if somebody sits before a desktop of this machine, and says whether it did. Returns at once; a browser that does not start is
/// no error.
pub(super) fn open(url: String) -> bool {
    let on_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if !is_wanted(on_terminal, std::env::consts::OS, |name| std::env::var_os(name)) {
        return false;
    }
    // It waits for a moment whether the desktop's launcher fails.
    std::thread::spawn(move || {
        if let Err(error) = open::that_detached(&url) {
            tracing::debug!(%error, "open {url} in a browser");
        }
    });
    true
}

/// True if a browser would be seen: at a terminal, on a desktop, neither from afar nor in a script of tests.
fn is_wanted(on_terminal: bool, system: &str, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let has_desktop = match system {
        "macos" | "windows" => true,
        _ => is_set("DISPLAY") || is_set("WAYLAND_DISPLAY"),
    };
    on_terminal && has_desktop && !is_set("SSH_CONNECTION") && !is_set("CI")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_opened_only_where_somebody_sees_it() {
        let x11 = ("DISPLAY", ":0");
        for (on_terminal, system, variables, expected) in [
            (true, "linux", &[x11][..], true),
            (true, "linux", &[("WAYLAND_DISPLAY", "wayland-0")], true),
            (true, "freebsd", &[x11], true),
            (true, "macos", &[], true),
            (true, "windows", &[], true),
            (true, "linux", &[], false),
            (true, "linux", &[("DISPLAY", "")], false),
            (false, "linux", &[x11], false),
            (false, "macos", &[], false),
            (true, "linux", &[x11, ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")], false),
            (true, "macos", &[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")], false),
            (true, "linux", &[x11, ("CI", "true")], false),
            (true, "linux", &[x11, ("CI", "")], true),
        ] {
            let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(is_wanted(on_terminal, system, variable), expected, "{on_terminal} {system} {variables:?}");
        }
    }
}
