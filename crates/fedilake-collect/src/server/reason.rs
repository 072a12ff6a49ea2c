//! Why a connection failed, in words for people, and what they can do about a server that cannot be read.

use std::error::Error;

use fedilake_model::Server;
use reqwest::StatusCode;

use crate::server::error::SourceError;

/// The reasons that are recognized again for advice.
const NO_HOST: &str = "there is no host of this name";
const CERTIFICATE: &str = "its certificate ";
const NO_TLS: &str = "it does not speak TLS on this port";

/// The innermost cause of a failed connection in words; the libraries' own where they say it well.
pub(crate) fn in_words(cause: &dyn Error) -> String {
    let text = cause.to_string();
    if let Some(why) = text.strip_prefix("failed to lookup address information: ") {
        let is_unknown = ["not known", "nodename nor servname", "No address", "no address"];
        return match is_unknown.iter().any(|sign| why.contains(sign)) {
            true => NO_HOST.to_owned(),
            false => format!("its name could not be looked up: {why}"),
        };
    }
    if let Some(why) = text.strip_prefix("invalid peer certificate: ") {
        let why = match why {
            why if why.contains("UnknownIssuer") => "is signed by nobody whom this machine trusts".to_owned(),
            why if why.to_lowercase().contains("expired") => "has expired".to_owned(),
            why if why.to_lowercase().contains("not valid yet") || why.contains("NotValidYet") => {
                "is not valid yet, by this machine's clock".to_owned()
            }
            why if why.contains("not valid for name") || why.contains("NotValidForName") => {
                "is that of another host".to_owned()
            }
            why => format!("is not valid: {why}"),
        };
        return format!("{CERTIFICATE}{why}");
    }
    if text.starts_with("received corrupt message") {
        return NO_TLS.to_owned();
    }
    text
}

/// What a person can do about `server`, which could not be read; `None` if only waiting helps.
pub fn advice(error: &SourceError, server: &Server, has_token: bool) -> Option<String> {
    match error {
        SourceError::Unreachable { why, .. } if why == NO_HOST => Some(format!("is {server} spelled right?")),
        SourceError::Unreachable { why, .. } if why.starts_with(CERTIFICATE) => {
            Some("its admin can mend that; a server that cannot prove its name is not read".to_owned())
        }
        SourceError::Unreachable { why, .. } if why == NO_TLS => {
            Some(format!("give it as http://{server} if it is your own"))
        }
        SourceError::Refused { status: StatusCode::NOT_FOUND, path, .. } if path.contains("/timelines/list/") => {
            Some("is the list's id right, and is the list one of the token's own account?".to_owned())
        }
        SourceError::Refused { status, .. } => match (*status, has_token) {
            (StatusCode::UNAUTHORIZED, true) => {
                Some(format!("its token may be revoked or expired: `fedilake login {server}` gets another"))
            }
            (StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY, false) => {
                Some(format!("it is read with a token alone: `fedilake login {server}` gets one"))
            }
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => Some(no_mastodon(server)),
            _ => None,
        },
        SourceError::Malformed { .. } => Some(no_mastodon(server)),
        _ => None,
    }
}

fn no_mastodon(server: &Server) -> String {
    format!("does {server} answer as Mastodon does? `fedilake servers --probe {server}` looks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Cause(&'static str);

    #[test]
    fn what_libraries_say_is_said_in_words() {
        for (text, words) in [
            ("failed to lookup address information: Name or service not known", NO_HOST),
            ("failed to lookup address information: nodename nor servname provided, or not known", NO_HOST),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "its name could not be looked up: Temporary failure in name resolution",
            ),
            ("invalid peer certificate: UnknownIssuer", "its certificate is signed by nobody whom this machine trusts"),
            ("invalid peer certificate: certificate expired: verified at time 1", "its certificate has expired"),
            ("invalid peer certificate: Expired", "its certificate has expired"),
            (
                "invalid peer certificate: certificate not valid for name \"a.example\"; certificate is only valid for b",
                "its certificate is that of another host",
            ),
            ("invalid peer certificate: BadSignature", "its certificate is not valid: BadSignature"),
            ("received corrupt message of type InvalidContentType", NO_TLS),
            ("Connection refused (os error 111)", "Connection refused (os error 111)"),
        ] {
            assert_eq!(in_words(&Cause(text)), words);
        }
    }

    #[test]
    fn advice_fits_the_error_and_whether_there_is_a_token() {
        let server = Server::new("a.example");
        let refused = |status| SourceError::Refused { status, path: "/".to_owned(), message: None };
        let unreachable =
            |why: &str| SourceError::Unreachable { doing: "connect", why: in_words(&Cause(Box::leak(why.into()))) };
        for (error, has_token, part) in [
            (refused(StatusCode::UNAUTHORIZED), true, "revoked or expired: `fedilake login a.example`"),
            (refused(StatusCode::UNAUTHORIZED), false, "a token alone: `fedilake login a.example`"),
            (refused(StatusCode::UNPROCESSABLE_ENTITY), false, "`fedilake login a.example`"),
            (refused(StatusCode::NOT_FOUND), false, "--probe a.example"),
            (unreachable("failed to lookup address information: Name or service not known"), false, "spelled right?"),
            (unreachable("invalid peer certificate: Expired"), false, "admin"),
            (unreachable("received corrupt message"), false, "http://a.example"),
        ] {
            let advice = advice(&error, &server, has_token).unwrap_or_default();
            assert!(advice.contains(part), "{error}: {advice}");
        }
        let path = "/api/v1/timelines/list/999".to_owned();
        let of_list = SourceError::Refused { status: StatusCode::NOT_FOUND, path, message: None };
        assert!(advice(&of_list, &server, true).is_some_and(|advice| advice.contains("the list's id")));
        assert_eq!(advice(&unreachable("timed out"), &server, false), None);
        assert_eq!(advice(&refused(StatusCode::FORBIDDEN), &server, true), None);
    }
}
