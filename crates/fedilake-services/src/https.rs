//! A door with TLS and a password in front of a plain HTTP service.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::missing;

/// The head of a request and its body, at most.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// A door on loopback that leads to a service. Who does not name the user and the password is answered with 401. The
/// certificate is that of `127.0.0.1` and `localhost`.
#[derive(Debug)]
pub struct Https {
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Https {
    /// The user whom the door lets in.
    pub const USER: &str = "fedilake";
    /// The user's password.
    pub const PASSWORD: &str = "registry-secret";
    const AUTHORIZATION: &str = "Basic ZmVkaWxha2U6cmVnaXN0cnktc2VjcmV0";

    /// Opens a door to `service`, an `http://host:port` with or without a path. `None` after printing that `test` is skipped,
    /// where there is no openssl to make certificates.
    pub fn before(service: &str, test: &str) -> Option<Https> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if !make_certificates(folder.path()) {
            return missing(test, "no openssl here");
        }
        let certificates: Vec<_> = CertificateDer::pem_file_iter(folder.path().join("server.crt"))
            .and_then(Iterator::collect)
            .expect("openssl wrote a certificate");
        let key = PrivateKeyDer::from_pem_file(folder.path().join("server.key")).expect("openssl wrote a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key));
        let config = Arc::new(config.expect("the certificate fits its key"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let host = service.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (config, host) = (config.clone(), host.clone());
                // A client that breaks off is the test's own.
                std::thread::spawn(move || answer(connection, config, &host));
            }
        });
        Some(Https { address, folder })
    }

    /// Where the door is, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The certificate (PEM) of the authority that signed the door's.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The certificate (PEM) of an authority that did not.
    pub fn other_ca_file(&self) -> PathBuf {
        self.folder.path().join("other.pem")
    }
}

/// Answers one request, and closes the connection.
fn answer(connection: TcpStream, config: Arc<ServerConfig>, host: &str) -> io::Result<()> {
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(session, connection);
    let mut request = Vec::new();
    let head_end = loop {
        if let Some(at) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(&mut client, &mut request)?;
    };
    let head = String::from_utf8_lossy(&request[..head_end]).into_owned();
    let header = |name: &str| {
        let named = |line: &&str| line.split(':').next().is_some_and(|is| is.eq_ignore_ascii_case(name));
        head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while request.len() < head_end + length {
        read_more(&mut client, &mut request)?;
    }
    if header("authorization") != Some(Https::AUTHORIZATION) {
        let body = r#"{"error_code": 40101, "message": "Unauthorized"}"#;
        write!(
            client,
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
    } else {
        let mut service = TcpStream::connect(host)?;
        // HTTP/1.0 has neither chunks nor kept connections: the answer ends where the connection ends.
        let first = head.lines().next().unwrap_or_default().replace("HTTP/1.1", "HTTP/1.0");
        let mut forwarded = format!("{first}\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        for name in ["content-type", "accept"] {
            if let Some(value) = header(name) {
                forwarded += &format!("{name}: {value}\r\n");
            }
        }
        // In one write: a service that answers the first piece and closes would reset the connection at the second.
        service.write_all(&[forwarded.as_bytes(), b"\r\n", &request[head_end..]].concat())?;
        io::copy(&mut service, &mut client)?;
    }
    client.conn.send_close_notify();
    client.flush()
}

fn read_more(client: &mut impl Read, request: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; 4096];
    match client.read(&mut piece)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if request.len() > REQUEST_BYTES_MAX => Err(io::ErrorKind::InvalidData.into()),
        read => {
            request.extend_from_slice(&piece[..read]);
            Ok(())
        }
    }
}

/// Makes two authorities, and a certificate that the first has signed. False where there is no openssl.
fn make_certificates(folder: &Path) -> bool {
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
        made.map(|made| {
            assert!(made.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&made.stderr))
        })
    };
    const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    for name in ["ca", "other"] {
        let (subject, key, pem) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.pem"));
        let to = ["-days", "3650", "-subj", &subject, "-keyout", &key, "-out", &pem];
        if openssl(&[&["req", "-x509"][..], &KEY, &to].concat()).is_err() {
            return false;
        }
    }
    std::fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        .expect("the folder is there");
    let to = ["-subj", "/CN=registry", "-keyout", "server.key", "-out", "server.csr"];
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile server.ext -out server.crt";
    openssl(&[&["req"][..], &KEY, &to].concat()).is_ok() && openssl(&sign.split(' ').collect::<Vec<_>>()).is_ok()
}
