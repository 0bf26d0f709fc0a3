//! Account tokens: what a page shows in its hello, so that a WebSocket never rests on a cookie.

use broadside_core::commands::AccountId;
use broadside_shared::protocol::token::AccountToken;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a token is valid, in seconds: a page asks for one right before it connects.
pub const ACCOUNT_TOKEN_S: u64 = 300;
/// Goes into each signature, so that none of another kind can pass for it, whatever its key.
const LABEL: &[u8] = b"broadside account token 1\n";

/// Signs and checks account tokens. The key is drawn when the server starts: a token lives shorter than a restart takes players to return.
pub struct AccountTokens {
    /// The first one signs; the others are former ones.
    keys: Vec<Hmac<Sha256>>,
}

impl AccountTokens {
    /// Tokens signed with the first of `keys`, and believed if signed with any.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(keys: &[[u8; 32]]) -> Self {
        let key = |key: &[u8; 32]| Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        AccountTokens { keys: keys.iter().map(key).collect() }
    }

    /// A token for this account, valid for [`ACCOUNT_TOKEN_S`] from `now_s` on, in Unix seconds. Whoever asks for it must have shown that
    /// the account is theirs.
    #[must_use]
    pub fn sign(&self, account: AccountId, now_s: u64) -> AccountToken {
        let expires_s = now_s.saturating_add(ACCOUNT_TOKEN_S);
        let tag = mac(&self.keys[0], account, expires_s).finalize().into_bytes();
        let mut signature = [0; 16];
        signature.copy_from_slice(&tag[..16]);
        AccountToken { account, expires_s, signature }
    }

    /// The account of a token; `None` if it is forged or expired.
    #[must_use]
    pub fn verify(&self, token: &AccountToken, now_s: u64) -> Option<AccountId> {
        // `verify_truncated_left` compares in constant time.
        let signed_by = |key| mac(key, token.account, token.expires_s).verify_truncated_left(&token.signature);
        self.keys.iter().find(|key| signed_by(key).is_ok())?;
        (now_s < token.expires_s).then_some(token.account)
    }
}

fn mac(key: &Hmac<Sha256>, account: AccountId, expires_s: u64) -> Hmac<Sha256> {
    key.clone().chain_update(LABEL).chain_update(account.0).chain_update(expires_s.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;
    const ANN: AccountId = AccountId([7; 16]);

    #[test]
    fn a_token_is_that_of_its_account_until_it_expires() {
        let tokens = AccountTokens::new(&[[1; 32]]);
        let token = tokens.sign(ANN, NOW_S);
        assert_eq!(tokens.verify(&token, NOW_S + ACCOUNT_TOKEN_S - 1), Some(ANN));
        assert_eq!(tokens.verify(&token, NOW_S + ACCOUNT_TOKEN_S), None);
        assert_eq!(AccountTokens::new(&[[2; 32]]).verify(&token, NOW_S), None, "another server's key");
        assert_eq!(AccountTokens::new(&[[2; 32], [1; 32]]).verify(&token, NOW_S), Some(ANN), "the former key");
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed() {
        let tokens = AccountTokens::new(&[[1; 32]]);
        let token = tokens.sign(ANN, NOW_S);
        for bit in 0..128 {
            let (byte, bit) = (bit / 8, 1 << (bit % 8));
            let (mut other, mut forged) = (token, token);
            other.account.0[byte] ^= bit;
            forged.signature[byte] ^= bit;
            assert_eq!((tokens.verify(&other, NOW_S), tokens.verify(&forged, NOW_S)), (None, None));
        }
        let longer = AccountToken { expires_s: token.expires_s + 1, ..token };
        assert_eq!(tokens.verify(&longer, NOW_S), None);
    }
}
