//! Secrets in what people read: the password of a URL, the value of a secret query parameter.
//!
//! Settings, errors and log lines are shown to people who must not see them. So all that this program writes to stderr passes
//! [`masked`], whoever quotes a setting or a flag there, and so do the settings that it prints.

/// The words in the names of secret query parameters.
const SECRET_NAMES: [&str; 9] =
    ["token", "secret", "password", "passwd", "pwd", "key", "signature", "credential", "auth"];
/// Before the colon of these words stands no user.
const NO_USERS: [&str; 4] = ["acct", "mailto", "sip", "xmpp"];

/// `text` with `***` for each password in a URL, with or without its scheme, and for each value of a secret query parameter. All else
/// is kept.
pub fn masked(text: &str) -> String {
    if !text.contains(['@', '?', '#']) {
        return text.to_owned();
    }
    let mut parts = text.split("://");
    let mut masked = masked_words(parts.next().unwrap_or_default());
    for part in parts {
        let (authority, rest) = part.split_at(authority_end(part));
        masked.push_str("://");
        match authority.rsplit_once('@') {
            Some((login, host)) => {
                let user = login.split(':').next().unwrap_or_default();
                let user = if login.contains(':') { format!("{user}:") } else { String::new() };
                masked.push_str(&format!("{user}***@{host}"));
            }
            None => masked.push_str(authority),
        }
        let (url, after) = rest.split_at(url_end(rest));
        masked.push_str(&masked_query(url));
        masked.push_str(&masked_words(after));
    }
    masked
}

/// An address that may name an account: all before its last `@` is hidden, because that may be a token.
pub fn masked_address(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((login, host)) if !login.is_empty() && !login.ends_with('/') => match masked(address) {
            whole if whole == address => format!("***@{host}"),
            masked => masked,
        },
        _ => masked(address),
    }
}

/// A line of a log in JSON, each text in it [`masked`].
pub fn masked_json(line: &str) -> String {
    if !line.contains(['@', '?', '#']) {
        return line.to_owned();
    }
    let (mut masked_line, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(start) = rest.find('"') {
        let mut is_escaped = false;
        let end = rest[start + 1..].char_indices().find(|(_, c)| {
            let is_end = *c == '"' && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        });
        let Some((length, _)) = end else { break };
        let literal = &rest[start..start + length + 2];
        masked_line.push_str(&rest[..start]);
        match serde_json::from_str::<String>(literal) {
            Ok(text) if masked(&text) != text => masked_line.push_str(&serde_json::json!(masked(&text)).to_string()),
            _ => masked_line.push_str(literal),
        }
        rest = &rest[start + literal.len()..];
    }
    masked_line + rest
}

/// Where the user, password and host at the start of `part` end.
fn authority_end(part: &str) -> usize {
    let ends_at = |from: usize| {
        let end = part[from..].find(|c: char| c.is_whitespace() || "/?#\"'`".contains(c));
        end.map_or(part.len(), |end| from + end)
    };
    let end = ends_at(0);
    // Behind the last colon of a host is a port: what is none is a password, with a character in it that should be encoded.
    let is_port = |text: &str| text.ends_with(']') || text.bytes().all(|byte| byte.is_ascii_digit());
    match part[..end].rsplit_once(':') {
        Some((_, tail)) if !part[..end].contains('@') && !is_port(tail) => {
            let word = part.find(char::is_whitespace).unwrap_or(part.len());
            part[..word].rfind('@').map_or(end, ends_at)
        }
        _ => end,
    }
}

/// Where a URL ends in a sentence that may quote it. A quote within a word belongs to the URL.
fn url_end(rest: &str) -> usize {
    let ends = |(at, c): &(usize, char)| {
        let follows = rest[at + c.len_utf8()..].chars().next();
        match c {
            '"' => true,
            '\'' | '`' | '\\' => follows.is_none_or(|next| !next.is_alphanumeric()),
            c => c.is_whitespace(),
        }
    };
    rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at)
}

/// A URL behind its host: path, query and fragment.
fn masked_query(url: &str) -> String {
    let Some(start) = url.find(['?', '#']) else { return url.to_owned() };
    let (path, query) = url.split_at(start);
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_NAMES.iter().any(|sign| name.contains(sign))
    };
    // A secret ends at an ampersand alone, so that one with other signs in it is hidden whole.
    let pairs = query.split('&').map(|pair| {
        let is_secret_until =
            |(at, _): &(usize, &str)| is_secret(pair[..*at].rsplit(['?', '#', ';']).next().unwrap_or_default());
        match pair.match_indices('=').find(is_secret_until) {
            Some((at, _)) => format!("{}***", &pair[..=at]),
            None => pair.to_owned(),
        }
    });
    path.to_owned() + &pairs.collect::<Vec<_>>().join("&")
}

/// Words without a scheme: `user:password@host`, as people type it, and `host?token=…`.
fn masked_words(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let (url, after) = word.split_at(url_end(word.trim_start_matches(['"', '\'', '`'])) + quotes(word));
        masked_login(&masked_query(url)) + after
    });
    words.collect()
}

/// The number of bytes of quotes at the start.
fn quotes(word: &str) -> usize {
    word.len() - word.trim_start_matches(['"', '\'', '`']).len()
}

fn masked_login(word: &str) -> String {
    let Some((login, host)) = word.rsplit_once('@') else { return word.to_owned() };
    let Some((user, password)) = login.split_once(':') else { return word.to_owned() };
    let name = user.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_login = !name.is_empty()
        && !NO_USERS.contains(&name)
        && !user.contains(['/', '{', ','])
        && !password.is_empty()
        && host.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    if is_login { format!("{user}:***@{host}") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_and_queries_are_masked_and_all_else_is_kept() {
        for (text, shown) in [
            ("http://ann:hunter2@registry:8081/apis", "http://ann:***@registry:8081/apis"),
            ("kafka://ann:p@ss@b-1:9092,b-2:9092/topic", "kafka://ann:***@b-1:9092,b-2:9092/topic"),
            ("s3://id:secret@bucket/prefix", "s3://id:***@bucket/prefix"),
            ("kafka://ann:p/s?s#@b-1:9092/topic", "kafka://ann:***@b-1:9092/topic"),
            ("http://[::1]:8081/@ann", "http://[::1]:8081/@ann"),
            ("http://registry:8081/@ann", "http://registry:8081/@ann"),
            ("https://token@a.example/x", "https://***@a.example/x"),
            ("https://a.example/?access_token=abc&x=1", "https://a.example/?access_token=***&x=1"),
            ("http://a:b@c/, http://d:e@f/", "http://a:***@c/, http://d:***@f/"),
            ("file:log", "file:log"),
            ("https://a.example/@ann", "https://a.example/@ann"),
            ("you@a.example", "you@a.example"),
            ("ann:hunter2@a.example", "ann:***@a.example"),
            ("https://t:hunter2@x=file", "https://t:***@x=file"),
            ("s3:id:hunter2@bucket", "s3:***@bucket"),
            ("kafka:b/t?password=hunter2", "kafka:b/t?password=***"),
            ("acct:ann@a.example", "acct:ann@a.example"),
            ("mailto:you@a.example", "mailto:you@a.example"),
            ("@ann@a.example", "@ann@a.example"),
            ("https://a.example/#access_token=abc", "https://a.example/#access_token=***"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn of_an_address_all_before_its_host_may_be_a_secret() {
        for (address, shown) in [
            ("hunter2@a.example", "***@a.example"),
            ("https://hunter2@a.example", "https://***@a.example"),
            ("ann:hunter2@a.example", "ann:***@a.example"),
            ("https://a.example/@ann", "https://a.example/@ann"),
            ("a.example", "a.example"),
        ] {
            assert_eq!(masked_address(address), shown);
        }
    }

    #[test]
    fn a_sentence_keeps_its_words_whatever_it_quotes() {
        for (text, shown) in [
            (
                "setting log.url = \"kafka://b/t?password=s#x\" (from flag): expected\nhint: write it",
                "setting log.url = \"kafka://b/t?password=***\" (from flag): expected\nhint: write it",
            ),
            ("invalid server `https://a:hunter2@b`: it names", "invalid server `https://a:***@b`: it names"),
            ("invalid server `a:hunter2@b`: it names", "invalid server `a:***@b`: it names"),
            ("'s3://id:hunter2@b/x?sig=1' for '--out'", "'s3://id:***@b/x?sig=1' for '--out'"),
            ("got \"t:hunter2@x=f\"\nhint: write it", "got \"t:***@x=f\"\nhint: write it"),
            ("http://127.0.0.1:4000: refused by ann@b", "http://127.0.0.1:4000: refused by ann@b"),
            ("answered: \"a\":\"b@c\"", "answered: \"a\":\"b@c\""),
            ("what? how?", "what? how?"),
            ("select 'é?' -- #\n       ^", "select 'é?' -- #\n       ^"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn a_line_of_json_stays_json() {
        for (message, shown) in [
            ("open \"http://a:hunter2@b/\"", "open \"http://a:***@b/\""),
            ("open \"http://b/?token=hunter2\": refused", "open \"http://b/?token=***\": refused"),
            ("http://x:abc", "http://x:abc"),
            ("back\\slash \" quote", "back\\slash \" quote"),
        ] {
            let line = serde_json::json!({"message": message, "server": "ann@b", "x": 1}).to_string();
            let masked: serde_json::Value = serde_json::from_str(&masked_json(&line)).unwrap();
            assert_eq!(masked, serde_json::json!({"message": shown, "server": "ann@b", "x": 1}));
        }
    }
}
