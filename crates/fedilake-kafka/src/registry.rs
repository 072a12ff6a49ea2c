//! A client of Schema Registry: the four requests of Confluent's API that a log needs. (The crate
//! schema_registry_converter has no compatibility check.)

use std::fmt;
use std::time::Duration;

use reqwest::{Certificate, Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::KafkaError;
use crate::settings::{RegistrySettings, Secret};

const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
/// Error codes for a subject and a version that the registry does not have.
const NO_SUBJECT: i64 = 40_401;
const NO_VERSION: i64 = 40_402;

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
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refusal::Final(why) | Refusal::Away(why) | Refusal::Foreign(why)) = self;
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
    references: Option<Vec<Value>>,
}

impl Registry {
    pub(crate) fn new(settings: &RegistrySettings) -> Result<Registry, KafkaError> {
        let RegistrySettings { url, login, ca_file, request_timeout, patience } = settings.clone();
        let failed = |why: String| KafkaError::Registry { doing: "set up the client".into(), url: shown(&url), why };
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
        match answer.status {
            status if status.is_success() => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Refusal::Away(answer.to_string()));
            }
            _ => return Err(Refusal::Final(answer.to_string())),
        }
        let stored = Stored::deserialize(answer.body).map_err(|error| Refusal::Final(error.to_string()))?;
        match stored.schema_type.as_deref() {
            None | Some("" | "AVRO") => {}
            Some(other) => return Err(Refusal::Foreign(format!("it is of type {other} and not AVRO"))),
        }
        if stored.references.is_some_and(|references| !references.is_empty()) {
            return Err(Refusal::Final("it refers to other schemas".into()));
        }
        Ok(stored.schema)
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
        let answer = request.send().await.map_err(|error| Refusal::Away(causes(&error)))?;
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
