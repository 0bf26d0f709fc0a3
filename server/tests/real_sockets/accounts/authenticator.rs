//! An authenticator in software: a key per credential, and answers as a browser sends them.

use rcgen::{KeyPair, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// User present, user verified.
const PRESENT_AND_VERIFIED: u8 = 0b101;
/// A credential follows.
const ATTESTED: u8 = 0b100_0000;

/// A credential on its authenticator.
pub(crate) struct Authenticator {
    key: KeyPair,
    id: [u8; 16],
    rp_id: String,
    /// As the server gave it.
    user: Value,
    /// Uses so far.
    pub(crate) count: u32,
}

/// What a browser adds to an answer: where it was asked.
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    /// `publicKey` of the options.
    pub(crate) options: &'a Value,
}

impl Authenticator {
    /// Makes a credential as the options of a ceremony ask. Returns it with the answer.
    pub(crate) fn make(asked: &Asked<'_>, number: u8) -> (Authenticator, Value) {
        let key = KeyPair::generate().expect("a key");
        let rp_id = asked.options["rp"]["id"].as_str().expect("a relying party").to_owned();
        let user = asked.options["user"]["id"].clone();
        let made = Authenticator { key, id: [number; 16], rp_id, user, count: 0 };
        let point = made.key.der_bytes();
        assert_eq!((point.len(), point[0]), (65, 4), "an uncompressed point of P-256");
        // COSE (RFC 9053): an EC2 key for ES256 on P-256, with x and y.
        let cose =
            [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &point[1..33], &[0x22, 0x58, 32], &point[33..]]
                .concat();
        let credential = [&[0; 16][..], &[0, 16], &made.id, &cose].concat();
        let data = [made.data(PRESENT_AND_VERIFIED | ATTESTED), credential].concat();
        let attestation = [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..],
            &[u8::try_from(data.len()).expect("a short credential")],
            &data,
        ]
        .concat();
        let response = json!({
            "attestationObject": base64url(&attestation),
            "clientDataJSON": base64url(client_data("webauthn.create", asked).as_bytes()),
        });
        let answer = made.answer(&response);
        (made, answer)
    }

    /// Answers the options of a sign-in.
    pub(crate) fn sign_in(&mut self, asked: &Asked<'_>) -> Value {
        self.count += 1;
        let (data, client_data) = (self.data(PRESENT_AND_VERIFIED), client_data("webauthn.get", asked));
        let signed = [&data[..], &Sha256::digest(client_data.as_bytes())].concat();
        let signature = self.key.sign(&signed).expect("a signature");
        self.answer(&json!({
            "authenticatorData": base64url(&data),
            "clientDataJSON": base64url(client_data.as_bytes()),
            "signature": base64url(&signature),
            "userHandle": self.user,
        }))
    }

    fn answer(&self, response: &Value) -> Value {
        let id = base64url(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        [&Sha256::digest(self.rp_id.as_bytes())[..], &[flags], &self.count.to_be_bytes()].concat()
    }
}

fn client_data(kind: &str, asked: &Asked<'_>) -> String {
    json!({ "type": kind, "challenge": asked.options["challenge"], "origin": asked.origin, "crossOrigin": false })
        .to_string()
}

/// RFC 4648, section 5, without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let sextets = (0..bytes.len() * 8).step_by(6);
    sextets.map(|from| alphabet[(from..from + 6).fold(0, |value, at| value << 1 | usize::from(bit(at)))]).collect()
}
