//! Passkeys (WebAuthn): made for an account, and signing in without a name.

use std::net::IpAddr;

use broadside_store::StoreError;
use broadside_store::accounts::{Account, AccountId};
use broadside_store::credentials::Passkey as KeptPasskey;
use broadside_store::entrance::Credential;
use serde::Serialize;
use serde_json::Value;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::ceremonies::Ceremonies;
use super::secrets::{BrowserSecret, SecretHash};
use super::sign_in::OwnName;
use super::{AccountError, Accounts};
use crate::metrics::labels::AddressLimit;
use crate::store::now_us;

/// How long the second step is awaited, in seconds: as long as browsers wait for the authenticator.
const CEREMONY_S: u64 = 300;
/// Longest label, in characters.
const LABEL_MAX: usize = 40;

/// The page that uses passkeys: they are bound to its host for good.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// A host name.
    pub(crate) host: String,
    /// As the browser says it.
    pub(crate) origin: String,
}

/// Ceremonies that have begun.
pub(crate) struct Passkeys {
    registrations: Ceremonies<Registration>,
    sign_ins: Ceremonies<SignIn>,
}

struct Registration {
    account: AccountId,
    /// The name that a guest keeps by it.
    name: Option<OwnName>,
    webauthn: Webauthn,
    state: PasskeyRegistration,
}

struct SignIn {
    webauthn: Webauthn,
    state: DiscoverableAuthentication,
}

/// A first step: the number that the second one names, and what the browser is asked to do.
pub(crate) struct Begun {
    pub(crate) ceremony: String,
    /// What `navigator.credentials` takes, as JSON.
    pub(crate) options: Value,
}

impl Passkeys {
    pub(crate) fn new() -> Passkeys {
        Passkeys { registrations: Ceremonies::new(CEREMONY_S), sign_ins: Ceremonies::new(CEREMONY_S) }
    }
}

impl Site {
    fn webauthn(&self) -> Result<Webauthn, AccountError> {
        let failed = |why: String| {
            tracing::warn!(host = self.host, origin = self.origin, why, "no passkeys for this page");
            AccountError::NoPasskeys
        };
        let origin = Url::parse(&self.origin).map_err(|error| failed(error.to_string()))?;
        let builder = WebauthnBuilder::new(&self.host, &origin).map_err(|error| failed(error.to_string()))?;
        builder.build().map_err(|error| failed(error.to_string()))
    }
}

impl Accounts {
    /// Begins to make a passkey for an account. A guest keeps a name by it; anybody else confirms first.
    ///
    /// # Errors
    /// As [`Accounts::confirm`]; the name is missing, refused or taken; no passkeys at this address.
    pub(crate) async fn begin_passkey(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        name: Option<&str>,
        password: Option<&str>,
        (site, address): (&Site, IpAddr),
    ) -> Result<Begun, AccountError> {
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let name = if account.keeps_name {
            self.confirm((account, secret_hash), password, address).await?;
            None
        } else {
            let name = OwnName::chosen(name.unwrap_or(""))?;
            self.may_keep(account, &name).await?;
            Some(name)
        };
        let shown = name.as_ref().map_or(account.name.as_str(), |name| name.name.as_str());
        let known = self.store.passkeys(account.id).await?;
        let known = known.into_iter().map(|passkey| passkey.credential).collect();
        let webauthn = site.webauthn()?;
        let begun = webauthn.start_passkey_registration(Uuid::from_bytes(account.id.0), shown, shown, Some(known));
        let (options, state) = begun.map_err(|error| refused(&error))?;
        let mut options = json(&options)?;
        // So that it signs in without a name, which the library leaves to chance.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        (selection["residentKey"], selection["requireResidentKey"]) = ("required".into(), true.into());
        let registration = Registration { account: account.id, name, webauthn, state };
        let ceremony = self.passkeys.registrations.begin(registration, self.context.clock.now());
        Ok(Begun { ceremony, options })
    }

    /// Adds the passkey that the browser made. Returns the account, and the browser's new secret if it was a guest.
    ///
    /// # Errors
    /// The ceremony is unknown, used or expired, the passkey is refused, the name was taken meanwhile, or the database does not answer.
    pub(crate) async fn finish_passkey(
        &self,
        (account, secret_hash): (Account, SecretHash),
        (ceremony, made): (&str, &RegisterPublicKeyCredential),
        label: &str,
    ) -> Result<(Account, Option<BrowserSecret>), AccountError> {
        let begun = self.passkeys.registrations.take(ceremony, self.context.clock.now());
        let begun = begun.filter(|begun| begun.account == account.id).ok_or(AccountError::NoCeremony)?;
        let passkey =
            begun.webauthn.finish_passkey_registration(made, &begun.state).map_err(|error| refused(&error))?;
        let now_us = now_us();
        let kept = KeptPasskey {
            credential: passkey.cred_id().to_vec(),
            body: json(&passkey)?.to_string(),
            label: label.trim().chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect(),
            created_us: now_us,
            used_us: now_us,
        };
        match begun.name {
            Some(name) => {
                let secret = self.claim(account.id, &name, Credential::Passkey(&kept), secret_hash).await?;
                Ok((Account { name: name.name.to_string(), keeps_name: true, ..account }, Some(secret)))
            }
            None => match self.store.add_passkey(account.id, &kept).await {
                Ok(()) => Ok((account, None)),
                Err(StoreError::Conflict(why)) => Err(AccountError::PasskeyRefused(why)),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Begins to sign in with whatever passkey the browser has.
    ///
    /// # Errors
    /// Too many attempts, or no passkeys at this address.
    pub(crate) fn begin_passkey_sign_in(&self, site: &Site, address: IpAddr) -> Result<Begun, AccountError> {
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let webauthn = site.webauthn()?;
        let (mut options, state) = webauthn.start_discoverable_authentication().map_err(|error| refused(&error))?;
        // The page decides whether to ask at once or to offer it in a field.
        options.mediation = None;
        let ceremony = self.passkeys.sign_ins.begin(SignIn { webauthn, state }, self.context.clock.now());
        Ok(Begun { ceremony, options: json(&options)? })
    }

    /// Signs a browser in by its answer. Returns the account and the browser's new secret.
    ///
    /// # Errors
    /// The ceremony is unknown, used or expired, nobody has the passkey, or the database does not answer.
    pub(crate) async fn finish_passkey_sign_in(
        &self,
        (ceremony, answer): (&str, &PublicKeyCredential),
        replaces: Option<SecretHash>,
    ) -> Result<(Account, BrowserSecret), AccountError> {
        let begun = self.passkeys.sign_ins.take(ceremony, self.context.clock.now()).ok_or(AccountError::NoCeremony)?;
        let credential = answer.get_credential_id();
        let account = self.store.account_of_passkey(credential).await?.ok_or(AccountError::UnknownPasskey)?;
        let unknown = |error: WebauthnError| {
            tracing::debug!(%error, "a passkey's answer was refused");
            AccountError::UnknownPasskey
        };
        let identified = begun.webauthn.identify_discoverable_authentication(answer).map_err(unknown)?;
        if identified.0 != Uuid::from_bytes(account.id.0) {
            return Err(AccountError::UnknownPasskey);
        }
        let kept = self.store.passkeys(account.id).await?.into_iter().find(|kept| kept.credential == credential);
        let kept = kept.ok_or(AccountError::UnknownPasskey)?;
        let mut passkey: Passkey = serde_json::from_str(&kept.body).map_err(|error| {
            tracing::error!(%error, "a passkey in the database cannot be read");
            AccountError::Failed
        })?;
        let answered = begun.webauthn.finish_discoverable_authentication_v2(answer, begun.state, &passkey);
        passkey.update_credential(&answered.map_err(unknown)?);
        self.store.passkey_used(credential, &json(&passkey)?.to_string(), now_us()).await?;
        let secret = self.enter(account.id, replaces).await?;
        Ok((account, secret))
    }

    /// Removes a passkey.
    ///
    /// # Errors
    /// As [`Accounts::confirm`]; there is no such passkey, or nothing else signs in.
    pub(crate) async fn remove_passkey(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        credential: &[u8],
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        self.confirm((account, secret_hash), password, address).await?;
        let ways = self.ways_in(account.id).await?;
        if !ways.has_password && ways.identities.is_empty() && ways.passkeys.len() <= 1 {
            return Err(AccountError::LastWayIn);
        }
        match self.store.remove_passkey(account.id, credential).await? {
            true => Ok(()),
            false => Err(AccountError::NotFound),
        }
    }
}

fn json(value: &impl Serialize) -> Result<Value, AccountError> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "cannot be written as JSON");
        AccountError::Failed
    })
}

fn refused(error: &WebauthnError) -> AccountError {
    AccountError::PasskeyRefused(error.to_string())
}
