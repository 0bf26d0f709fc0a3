//! A small OpenID Connect provider: discovery, keys and the token endpoint, with ES256. It answers honestly, or in one of the ways that a client
//! must not believe.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, StatusCode};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::authenticator::base64url;

/// The client's secret.
pub(crate) const SECRET: &str = "a secret between two servers";

/// How the token endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Honestly,
    OtherNonce,
    OtherAudience,
    OtherIssuer,
    Expired,
    OtherKey,
    Unsigned,
    SignedWithTheSecret,
    NoToken,
    Redirect,
    Endless,
}

pub(crate) struct Provider {
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    address: SocketAddr,
    key: KeyPair,
    grants: Mutex<BTreeMap<String, Grant>>,
    answers: Mutex<Answers>,
    elsewhere: AtomicU32,
}

/// What a code stands for.
struct Grant {
    subject: String,
    nonce: String,
    challenge: String,
    redirect: String,
}

impl Provider {
    pub(crate) async fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("bound"),
            key: KeyPair::generate().expect("a key"),
            grants: Mutex::default(),
            answers: Mutex::new(Answers::Honestly),
            elsewhere: AtomicU32::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/elsewhere", get(elsewhere).post(elsewhere))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Provider { shared, task }
    }

    pub(crate) async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub(crate) fn issuer(&self) -> String {
        self.shared.issuer()
    }

    pub(crate) fn answer(&self, answers: Answers) {
        *lock(&self.shared.answers) = answers;
    }

    pub(crate) fn visits_to_elsewhere(&self) -> u32 {
        self.shared.elsewhere.load(Ordering::Relaxed)
    }

    /// Somebody signs in here and agrees. Returns the query that the browser is sent back with.
    pub(crate) fn authorize(&self, url: &str, subject: &str) -> String {
        let query = url.strip_prefix(&format!("{}/authorize?", self.issuer())).expect("our page");
        let asked: BTreeMap<String, String> =
            query.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect();
        assert_eq!((&*asked["response_type"], &*asked["client_id"], &*asked["scope"]), ("code", "game", "openid"));
        assert_eq!(asked["code_challenge_method"], "S256");
        let grant = Grant {
            subject: subject.to_owned(),
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect: asked["redirect_uri"].clone(),
        };
        let mut grants = lock(&self.shared.grants);
        let code = format!("code{}", grants.len());
        grants.insert(code.clone(), grant);
        format!("code={code}&state={}", asked["state"])
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An ID token for a grant.
    fn id_token(&self, grant: &Grant, answers: Answers) -> String {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let pick =
            |when: Answers, lie: &str, truth: &str| if answers == when { lie.to_owned() } else { truth.to_owned() };
        let expires_s = if answers == Answers::Expired { now_s - 600 } else { now_s + 600 };
        let claims = json!({
            "iss": pick(Answers::OtherIssuer, "https://other.example", &self.issuer()),
            "aud": pick(Answers::OtherAudience, "another client", "game"),
            "nonce": pick(Answers::OtherNonce, "another nonce", &grant.nonce),
            "sub": grant.subject,
            "iat": now_s - 1200,
            "exp": expires_s,
        });
        let algorithm = match answers {
            Answers::Unsigned => "none",
            Answers::SignedWithTheSecret => "HS256",
            _ => "ES256",
        };
        let part = |json: Value| base64url(json.to_string().as_bytes());
        let signed = format!("{}.{}", part(json!({ "alg": algorithm, "kid": "1" })), part(claims));
        let signature = match answers {
            Answers::Unsigned => Vec::new(),
            Answers::SignedWithTheSecret => {
                let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
                mac.update(signed.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
            Answers::OtherKey => es256(&KeyPair::generate().expect("a key"), &signed),
            _ => es256(&self.key, &signed),
        };
        format!("{signed}.{}", base64url(&signature))
    }
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let issuer = shared.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let point = shared.key.der_bytes();
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "kid": "1", "x": x, "y": y }] }))
}

async fn elsewhere(State(shared): State<Arc<Shared>>) -> &'static str {
    shared.elsewhere.fetch_add(1, Ordering::Relaxed);
    "{}"
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let asked: BTreeMap<String, String> =
        body.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect();
    let refuse = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    if !headers.get("authorization").is_some_and(|header| header.to_str().is_ok_and(|text| text.starts_with("Basic ")))
    {
        return refuse("invalid_client");
    }
    let code = asked.get("code").cloned().unwrap_or_default();
    let Some(grant) = lock(&shared.grants).insert(code, Grant::used()).filter(|grant| !grant.subject.is_empty()) else {
        return refuse("invalid_grant");
    };
    let challenge = base64url(&Sha256::digest(asked.get("code_verifier").map_or("", String::as_str).as_bytes()));
    if challenge != grant.challenge || asked.get("redirect_uri") != Some(&grant.redirect) {
        return refuse("invalid_grant");
    }
    let answers = *lock(&shared.answers);
    match answers {
        Answers::Redirect => {
            (StatusCode::FOUND, [("location", format!("{}/elsewhere", shared.issuer()))]).into_response()
        }
        Answers::Endless => {
            let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b' '; 64 * 1024]));
            Response::new(Body::from_stream(chunks))
        }
        Answers::NoToken => Json(json!({ "access_token": "x", "token_type": "Bearer" })).into_response(),
        _ => {
            let id_token = shared.id_token(&grant, answers);
            Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": id_token })).into_response()
        }
    }
}

impl Grant {
    /// What is left of a code that was used.
    fn used() -> Grant {
        Grant { subject: String::new(), nonce: String::new(), challenge: String::new(), redirect: String::new() }
    }
}

/// A signature as JWS has it: r and s, 32 bytes each.
fn es256(key: &KeyPair, text: &str) -> Vec<u8> {
    let der = key.sign(text.as_bytes()).expect("a signature");
    // SEQUENCE { INTEGER r, INTEGER s }, each with a zero in front if its first bit is set.
    let r = &der[4..4 + usize::from(der[3])];
    let s = &der[4 + r.len() + 2..];
    let fixed = |number: &[u8]| {
        let digits = &number[number.len().saturating_sub(32)..];
        [vec![0; 32 - digits.len()], digits.to_vec()].concat()
    };
    [fixed(r), fixed(s)].concat()
}

/// Decodes `application/x-www-form-urlencoded`.
fn decoded((name, value): (&str, &str)) -> (String, String) {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.expect("two digits")));
                u8::from_str_radix(&digits.iter().collect::<String>(), 16).expect("digits")
            }
            byte => byte,
        });
    }
    (name.to_owned(), String::from_utf8(bytes).expect("text"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
