//! Signing in with an identity at an OpenID Connect provider: its metadata by discovery, the authorization code flow with PKCE and nonce.
//!
//! A flow has three steps. The page begins it and goes to the provider; the provider sends the browser back with a code; the page, which has
//! the browser's cookies again, finishes it. A cookie for the flow alone binds all three to one browser.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broadside_shared::time::MonoTime;
use broadside_store::accounts::Account;
use broadside_store::credentials::{Identity, Linked};
use broadside_store::entrance::Credential;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::reqwest;
use openidconnect::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    TokenResponse,
};
use tokio::sync::Semaphore;

use super::ceremonies::Ceremonies;
use super::export::hex;
use super::secrets::{BrowserSecret, SecretHash};
use super::sign_in::OwnName;
use super::{AccountError, Accounts};
use crate::config::oidc::ProviderConfig;
use crate::metrics::labels::AddressLimit;
use crate::store::now_us;

/// How long a flow may take, in seconds: people search for their second factor.
pub(crate) const FLOW_S: u32 = 600;
/// How long the provider's metadata and keys are used, in microseconds.
const METADATA_US: u64 = 600_000_000;
/// Time for one answer of the provider; a sign-in takes up to three.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest answer of the provider, in bytes.
const ANSWER_MAX: usize = 512 * 1024;
/// Signatures that are trusted: those with a public key, so that no secret shared with the provider vouches for anybody.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A provider that signs in.
pub(crate) struct Provider {
    config: ProviderConfig,
    http: HttpClient,
    metadata: Mutex<Option<(MonoTime, Arc<CoreProviderMetadata>)>>,
    /// One discovery at a time.
    discovering: Semaphore,
    flows: Ceremonies<Flow>,
}

/// How far a flow is.
enum Flow {
    /// The browser is at the provider; under the state.
    Begun(Begun),
    /// The browser is back with a code; under the hash of the flow's cookie, as what follows.
    Answered(Begun, AuthorizationCode),
    /// The identity is known, and waits for the owner's choice.
    Identified(Identity),
}

struct Begun {
    cookie: SecretHash,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
}

/// What the provider sends the browser back with.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) state: String,
    /// `None` if the provider or the owner refused.
    pub(crate) code: Option<String>,
    /// Which provider answers, if it says so (RFC 9207).
    pub(crate) issuer: Option<String>,
}

/// What the owner wants.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Intent<'a> {
    /// To sign in to the account that has the identity.
    SignIn,
    /// That the identity signs in to the account of this browser; a guest keeps a name by it, anybody else confirms.
    Link { account: &'a Account, secret_hash: SecretHash, name: Option<&'a str>, password: Option<&'a str> },
}

/// A client that knows where to send people, and perhaps where to exchange codes.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

impl Provider {
    /// Asks the provider for nothing yet: it may be unreachable.
    ///
    /// # Errors
    /// The system refuses what a client of https needs.
    pub(crate) fn new(config: ProviderConfig) -> anyhow::Result<Provider> {
        // A redirect could lead into the operator's network.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(ANSWER);
        let http = HttpClient(client.user_agent("broadside").build()?);
        let (metadata, discovering) = (Mutex::default(), Semaphore::new(1));
        Ok(Provider { config, http, metadata, discovering, flows: Ceremonies::new(FLOW_S.into()) })
    }

    async fn metadata(&self, now: MonoTime) -> Result<Arc<CoreProviderMetadata>, AccountError> {
        let known = || {
            let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
            known.as_ref().filter(|(at, _)| now.us_since(*at) < METADATA_US).map(|(_, found)| Arc::clone(found))
        };
        if let Some(found) = known() {
            return Ok(found);
        }
        let _permit = self.discovering.acquire().await.map_err(|_| AccountError::Failed)?;
        if let Some(found) = known() {
            return Ok(found);
        }
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|_| AccountError::Failed)?;
        let found = CoreProviderMetadata::discover_async(issuer, &self.http).await.map_err(|error| {
            tracing::warn!(issuer = self.config.issuer, error = whole(&error), "the provider cannot be discovered");
            AccountError::ProviderUnavailable
        })?;
        let found = Arc::new(found);
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&found)));
        Ok(found)
    }

    fn client(&self, metadata: &CoreProviderMetadata, redirect: RedirectUrl) -> Client {
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        let id = ClientId::new(self.config.client_id.clone());
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes_basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if takes_basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        CoreClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(redirect).set_auth_type(auth)
    }

    /// The identity that a code stands for, once everything about it is verified.
    async fn identify(&self, begun: Begun, code: AuthorizationCode, now: MonoTime) -> Result<Identity, AccountError> {
        let metadata = self.metadata(now).await?;
        let client = self.client(&metadata, begun.redirect);
        let refused = |why: String| {
            tracing::warn!(issuer = self.config.issuer, why, "a sign-in by the provider was refused");
            AccountError::ProviderRefused
        };
        let exchange = client.exchange_code(code).map_err(|error| refused(whole(&error)))?;
        let answer = exchange.set_pkce_verifier(begun.verifier).request_async(&self.http).await;
        let answer = answer.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => {
                tracing::warn!(issuer = self.config.issuer, error = whole(&error), "the provider does not answer");
                AccountError::ProviderUnavailable
            }
            other => refused(whole(&other)),
        })?;
        let token = answer.id_token().ok_or_else(|| refused("there is no ID token".to_owned()))?;
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let claims = token.claims(&verifier, &begun.nonce).map_err(|error| refused(whole(&error)))?;
        Ok(Identity { issuer: claims.issuer().to_string(), subject: claims.subject().to_string() })
    }
}

/// What asks the provider. It follows no redirects, and reads no more than [`ANSWER_MAX`].
struct HttpClient(reqwest::Client);

impl HttpClient {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, AskError> {
        let mut response = self.0.execute(request.try_into()?).await?;
        let mut head = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            head = head.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(AskError::Long);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(head.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// Why the provider's answer could not be read.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Failed(#[from] reqwest::Error),
    #[error(transparent)]
    Malformed(#[from] http::Error),
    #[error("the answer is longer than {ANSWER_MAX} bytes")]
    Long,
}

impl Accounts {
    /// What people know the provider as; `None` without one.
    pub(crate) fn provider_label(&self) -> Option<&str> {
        self.provider.as_ref().map(|provider| provider.config.label.as_str())
    }

    fn provider(&self) -> Result<&Provider, AccountError> {
        self.provider.as_ref().ok_or(AccountError::NoProvider)
    }

    /// Begins a flow that returns to `redirect`. Returns where to send the browser, and the secret of the flow's cookie.
    ///
    /// # Errors
    /// There is no provider, it cannot be reached, or too many attempts.
    pub(crate) async fn begin_flow(
        &self,
        redirect: String,
        address: IpAddr,
    ) -> Result<(String, BrowserSecret), AccountError> {
        let provider = self.provider()?;
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let now = self.context.clock.now();
        let metadata = provider.metadata(now).await?;
        let redirect = RedirectUrl::new(redirect).map_err(|_| AccountError::ProviderRefused)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (cookie, nonce) = (BrowserSecret::make(), Nonce::new_random());
        let client = provider.client(&metadata, redirect.clone());
        let begun = Begun { cookie: cookie.hash(), nonce: nonce.clone(), verifier, redirect };
        let state = provider.flows.begin(Flow::Begun(begun), now);
        let request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || nonce,
        );
        let (url, ..) = request.set_pkce_challenge(challenge).url();
        Ok((url.to_string(), cookie))
    }

    /// The browser comes back from the provider. Nothing is decided yet: the page finishes.
    ///
    /// # Errors
    /// The flow is unknown, expired or another browser's, or the provider refused.
    pub(crate) fn answer_flow(&self, answer: Answer, cookie: Option<SecretHash>) -> Result<(), AccountError> {
        let provider = self.provider()?;
        let now = self.context.clock.now();
        let Some(Flow::Begun(begun)) = provider.flows.take(&answer.state, now) else {
            return Err(AccountError::NoCeremony);
        };
        if cookie != Some(begun.cookie) {
            return Err(AccountError::NoCeremony);
        }
        if answer.issuer.is_some_and(|issuer| issuer != provider.config.issuer) {
            return Err(AccountError::ProviderRefused);
        }
        let code = AuthorizationCode::new(answer.code.ok_or(AccountError::ProviderRefused)?);
        provider.flows.keep(hex(&begun.cookie), Flow::Answered(begun, code), now);
        Ok(())
    }

    /// Finishes a flow. Returns the account, and the browser's new secret if it has one. If the identity is not what the owner thought, the
    /// flow can be finished again with the other intent.
    ///
    /// # Errors
    /// [`AccountError::UnknownIdentity`], [`AccountError::IdentityTaken`]; as [`Accounts::confirm`]; the name is missing, refused or taken; the
    /// flow is unknown or expired; or the provider or the database does not answer.
    pub(crate) async fn finish_flow(
        &self,
        cookie: SecretHash,
        intent: Intent<'_>,
        replaces: Option<SecretHash>,
        address: IpAddr,
    ) -> Result<(Account, Option<BrowserSecret>), AccountError> {
        let provider = self.provider()?;
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let (flow, now) = (hex(&cookie), self.context.clock.now());
        let identity = match provider.flows.take(&flow, now) {
            Some(Flow::Answered(begun, code)) => provider.identify(begun, code, now).await?,
            Some(Flow::Identified(identity)) => identity,
            Some(Flow::Begun(_)) | None => return Err(AccountError::NoCeremony),
        };
        let done = match intent {
            Intent::SignIn => self.sign_in_by(&identity, replaces).await,
            Intent::Link { account, secret_hash, name, password } => {
                self.link(&identity, (account, secret_hash), (name, password), address).await
            }
        };
        if done.is_err() {
            provider.flows.keep(flow, Flow::Identified(identity), now);
        }
        done
    }

    async fn sign_in_by(
        &self,
        identity: &Identity,
        replaces: Option<SecretHash>,
    ) -> Result<(Account, Option<BrowserSecret>), AccountError> {
        let account = self.store.account_of_identity(identity).await?.ok_or(AccountError::UnknownIdentity)?;
        let secret = self.enter(account.id, replaces).await?;
        Ok((account, Some(secret)))
    }

    async fn link(
        &self,
        identity: &Identity,
        (account, secret_hash): (&Account, SecretHash),
        (name, password): (Option<&str>, Option<&str>),
        address: IpAddr,
    ) -> Result<(Account, Option<BrowserSecret>), AccountError> {
        let owner = self.store.account_of_identity(identity).await?;
        if owner.as_ref().is_some_and(|owner| owner.id != account.id) {
            return Err(AccountError::IdentityTaken);
        }
        if !account.keeps_name {
            let name = OwnName::chosen(name.unwrap_or(""))?;
            self.may_keep(account, &name).await?;
            let secret = self.claim(account.id, &name, Credential::Identity(identity), secret_hash).await?;
            let account = Account { name: name.name.to_string(), keeps_name: true, ..account.clone() };
            return Ok((account, Some(secret)));
        }
        self.confirm((account, secret_hash), password, address).await?;
        match self.store.link_identity(account.id, identity, now_us()).await? {
            Linked::Done => Ok((account.clone(), None)),
            Linked::Taken(_) => Err(AccountError::IdentityTaken),
        }
    }

    /// Unlinks an identity.
    ///
    /// # Errors
    /// As [`Accounts::confirm`]; the account does not have it, or nothing else signs in.
    pub(crate) async fn unlink(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        identity: &Identity,
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        self.confirm((account, secret_hash), password, address).await?;
        let ways = self.ways_in(account.id).await?;
        if !ways.has_password && ways.passkeys.is_empty() && ways.identities.len() <= 1 {
            return Err(AccountError::LastWayIn);
        }
        match self.store.unlink_identity(account.id, identity).await? {
            true => Ok(()),
            false => Err(AccountError::NotFound),
        }
    }
}

/// An error with its causes, in one line.
fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
