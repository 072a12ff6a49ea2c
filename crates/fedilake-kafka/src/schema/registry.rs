//! A client of Schema Registry: the few requests of Confluent's API that a log needs. (The crate
//! schema_registry_converter has no compatibility check.)

use std::fmt;
use std::time::Duration;

use reqwest::{Certificate, Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::KafkaError;
use crate::remedy;
use crate::settings::{RegistrySettings, Secret};

const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
/// Error codes for a subject and a version that the registry does not have.
const NO_SUBJECT: i64 = 40_401;
const NO_VERSION: i64 = 40_402;
/// Error code for an id that the registry does not have.
const NO_SCHEMA: i64 = 40_403;

pub(crate) struct Registry {
    http: Client,
    url: Url,
    login: Option<(String, Secret)>,
    pub(crate) patience: Duration,
}

/// The reason for which a request had no good answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The registry answered, and asking again gives the same.
    Final(String),
    /// The registry did not answer, or was busy.
    Away(String),
    /// The schema is there and is none of Avro.
    Foreign(String),
    /// The registry answered that it has no schema of this id.
    Absent(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refusal::Final(why) | Refusal::Away(why) | Refusal::Foreign(why) | Refusal::Absent(why)) = self;
        f.write_str(why)
    }
}

/// An answer of the registry.
struct Answer {
    status: StatusCode,
    body: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    schema: String,
    schema_type: Option<String>,
}

impl Registry {
    pub(crate) fn new(settings: &RegistrySettings) -> Result<Registry, KafkaError> {
        let RegistrySettings { url, login, ca_file, request_timeout, patience } = settings.clone();
        let failed = |why: String| KafkaError::Registry {
            doing: "set up the client".into(),
            url: shown(&url),
            why,
            hint: "is log.ca_file a readable file of certificates (PEM)?",
        };
        let mut http = Client::builder().timeout(request_timeout).connect_timeout(request_timeout);
        if let Some(file) = ca_file {
            let read = |file: &std::path::Path| -> Result<Vec<Certificate>, String> {
                let pem = std::fs::read(file).map_err(|error| error.to_string())?;
                Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())
            };
            let certificates = read(&file).map_err(|why| failed(format!("read {}: {why}", file.display())))?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().map_err(|error| failed(causes(&error)))?;
        Ok(Registry { http, url, login, patience })
    }

    /// Registers `schema` under `subject`, unless an earlier version there forbids it, and returns its id.
    pub(crate) async fn register(&self, subject: &str, schema: &str) -> Result<u32, KafkaError> {
        let failed = |doing: &str, why: String| KafkaError::Registry {
            doing: format!("{doing} subject {subject}"),
            url: self.shown(),
            hint: remedy::of_registry(&why),
            why,
        };
        let incompatible =
            |why: String| KafkaError::Incompatible { subject: subject.to_owned(), url: self.shown(), why };
        let schema = json!({ "schema": schema });

        let latest = ["compatibility", "subjects", subject, "versions", "latest"];
        let doing = "check compatibility with";
        let answer = self.ask(Method::POST, &latest, Some(&schema)).await;
        let answer = answer.map_err(|refusal| failed(doing, refusal.to_string()))?;
        match answer.status {
            status if status.is_success() => match answer.body["is_compatible"].as_bool() {
                Some(true) => {}
                Some(false) => return Err(incompatible(answer.messages())),
                None => return Err(failed(doing, format!("it answers {}", answer.body))),
            },
            StatusCode::NOT_FOUND if matches!(answer.code(), Some(NO_SUBJECT | NO_VERSION)) => {}
            _ => return Err(failed(doing, answer.to_string())),
        }

        let doing = "register a schema under";
        let answer = self.ask(Method::POST, &["subjects", subject, "versions"], Some(&schema)).await;
        let answer = answer.map_err(|refusal| failed(doing, refusal.to_string()))?;
        match answer.status {
            status if status.is_success() => {
                let id = answer.body["id"].as_u64().and_then(|id| u32::try_from(id).ok());
                id.ok_or_else(|| failed(doing, format!("it answers {}", answer.body)))
            }
            StatusCode::CONFLICT => Err(incompatible(answer.to_string())),
            _ => Err(failed(doing, answer.to_string())),
        }
    }

    /// The Avro schema with this id.
    pub(crate) async fn schema(&self, id: u32) -> Result<String, Refusal> {
        let answer = self.ask(Method::GET, &["schemas", "ids", &id.to_string()], None).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal());
        }
        let stored = Stored::deserialize(answer.body).map_err(|error| Refusal::Final(error.to_string()))?;
        match stored.schema_type.as_deref() {
            None | Some("" | "AVRO") => {}
            Some(other) => return Err(Refusal::Foreign(format!("it is of type {other} and not AVRO"))),
        }
        Ok(stored.schema)
    }

    /// True if the registry has a schema under `subject`.
    pub(crate) async fn has_subject(&self, subject: &str) -> Result<bool, Refusal> {
        let answer = self.ask(Method::GET, &["subjects", subject, "versions"], None).await?;
        match answer.status {
            status if status.is_success() => Ok(answer.body.as_array().is_some_and(|versions| !versions.is_empty())),
            StatusCode::NOT_FOUND if answer.code() == Some(NO_SUBJECT) => Ok(false),
            _ => Err(answer.refusal()),
        }
    }

    async fn ask(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Answer, Refusal> {
        let mut url = self.url.clone();
        let segments = url.path_segments_mut();
        segments.map_err(|()| Refusal::Final("the address takes no path".into()))?.pop_if_empty().extend(path);
        let mut request = self.http.request(method, url).header("Accept", CONTENT);
        if let Some((user, Secret(password))) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = body {
            request = request.header("Content-Type", CONTENT).body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| {
            let why = causes(&error);
            if remedy::registry_must_be_set_otherwise(&why) { Refusal::Final(why) } else { Refusal::Away(why) }
        })?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| Refusal::Away(causes(&error)))?;
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Ok(Answer { status, body })
    }

    /// The registry's address, without a password that may be in it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.url)
    }
}

impl Answer {
    /// The reason for which an answer without success is none.
    fn refusal(&self) -> Refusal {
        let why = self.to_string();
        match self.status {
            StatusCode::NOT_FOUND if self.code() == Some(NO_SCHEMA) => Refusal::Absent(why),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Refusal::Away(why),
            _ => Refusal::Final(why),
        }
    }

    fn code(&self) -> Option<i64> {
        self.body["error_code"].as_i64()
    }

    fn messages(&self) -> String {
        let messages = self.body["messages"].as_array().into_iter().flatten();
        let messages: Vec<&str> = messages.filter_map(Value::as_str).collect();
        if messages.is_empty() { "it says so without a reason".into() } else { messages.join("; ") }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 500;
        let message = self.body["message"].as_str().map_or_else(|| self.body.to_string(), str::to_owned);
        write!(f, "{}: {}", self.status, message.chars().take(SHOWN).collect::<String>())
    }
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url.to_string()
}

/// The error and its causes: reqwest names the operation, and its sources the reason.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        causes.push_str(": ");
        causes.push_str(&error.to_string());
        source = error.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::path::PathBuf;

    use fedilake_services::Https;

    use super::*;
    use crate::KafkaSettings;

    /// A registry of one schema, whose id is 7; its address.
    fn registry_of_one() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut head = [0; 4096];
                let read = connection.read(&mut head).unwrap_or(0);
                let (status, body) = match String::from_utf8_lossy(&head[..read]).split(' ').nth(1) {
                    Some("/schemas/ids/7") => ("200 OK", r#"{"schema": "\"string\""}"#),
                    Some("/subjects/t-value/versions") => ("200 OK", "[1]"),
                    Some(path) if path.starts_with("/schemas/ids/") => {
                        ("404 Not Found", r#"{"error_code": 40403, "message": "Schema not found"}"#)
                    }
                    Some(path) if path.starts_with("/subjects/") => {
                        ("404 Not Found", r#"{"error_code": 40401, "message": "Subject not found"}"#)
                    }
                    _ => ("400 Bad Request", ""),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = connection.write_all((head + body).as_bytes());
            }
        });
        address
    }

    fn client(url: &str, login: Option<(&str, &str)>, ca_file: Option<PathBuf>) -> Registry {
        let settings = KafkaSettings::new("", "", Url::parse(url).unwrap()).registry;
        let login = login.map(|(user, password)| (user.to_owned(), Secret(password.to_owned())));
        Registry::new(&RegistrySettings { login, ca_file, ..settings }).unwrap()
    }

    #[tokio::test]
    async fn a_registry_tells_what_it_has_and_what_it_has_not() {
        let registry = client(&registry_of_one(), None, None);
        assert_eq!(registry.schema(7).await.unwrap(), "\"string\"");
        assert!(matches!(registry.schema(8).await, Err(Refusal::Absent(_))));
        assert!(registry.has_subject("t-value").await.unwrap());
        assert!(!registry.has_subject("u-value").await.unwrap());
        // A place that is no registry says nothing of schemas.
        let elsewhere = client(&format!("{}/elsewhere", registry_of_one()), None, None);
        assert!(matches!(elsewhere.schema(7).await, Err(Refusal::Final(_))));
        let away = client("http://127.0.0.1:9", None, None);
        assert!(matches!(away.schema(7).await, Err(Refusal::Away(_))));
        assert!(matches!(away.has_subject("t-value").await, Err(Refusal::Away(_))));
    }

    #[tokio::test]
    async fn a_registry_with_tls_and_a_password_is_read_and_each_wrong_setting_is_named() {
        let plain = registry_of_one();
        let Some(door) = Https::before(&plain, "registry with TLS") else { return };
        let (ca, other) = (Some(door.ca_file()), Some(door.other_ca_file()));
        let (secure, to_tls) = (format!("https://{}", door.address()), format!("http://{}", door.address()));
        let to_plain = plain.replace("http://", "https://");
        let in_url = format!("https://{}:{}@{}", Https::USER, Https::PASSWORD, door.address());
        let right = Some((Https::USER, Https::PASSWORD));
        for (url, login) in [(&secure, right), (&in_url, None)] {
            let registry = client(url, login, ca.clone());
            assert_eq!(registry.schema(7).await.unwrap(), "\"string\"");
            assert!(matches!(registry.schema(8).await, Err(Refusal::Absent(_))));
            assert!(!registry.shown().contains(Https::PASSWORD));
        }
        let wrong = [
            ("a wrong password", &secure, Some((Https::USER, "hunter2")), &ca, "log.registry_password_file", true),
            ("another user", &secure, Some(("ann", Https::PASSWORD)), &ca, "log.registry_user", true),
            ("no user", &secure, None, &ca, "log.registry_user", true),
            ("another authority", &secure, right, &other, "log.ca_file", true),
            ("no authority", &secure, right, &None, "log.ca_file", true),
            ("TLS to a port without", &to_plain, right, &ca, "http://", true),
            ("no TLS to a port with TLS", &to_tls, right, &ca, "https://", false),
        ];
        for (case, url, login, ca_file, named, is_final) in wrong {
            let refusal = client(url, login, ca_file.clone()).schema(7).await.unwrap_err();
            let why = refusal.to_string();
            let hint = remedy::of_registry(&why);
            assert!(hint.contains(named), "{case}: {why}: {hint}");
            assert_eq!(matches!(refusal, Refusal::Final(_)), is_final, "{case}: {refusal:?}");
            assert!(!why.contains("hunter2") && !why.contains(Https::PASSWORD), "{case}: {why}");
        }
        let unreadable = KafkaSettings::new("", "", Url::parse(&secure).unwrap()).registry;
        for (file, content) in [("none.pem", None), ("text.pem", Some("no certificate"))] {
            let path = door.ca_file().with_file_name(file);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            match Registry::new(&RegistrySettings { ca_file: Some(path), ..unreadable.clone() }) {
                Err(error) => {
                    assert!(error.to_string().contains(file) && error.to_string().contains("log.ca_file"), "{error}")
                }
                // A file without certificates adds no trust.
                Ok(registry) => assert!(matches!(registry.schema(7).await, Err(Refusal::Final(_))), "{file}"),
            }
        }
    }
}
