//! A server's access tokens: whose they are, what they allow, and their end.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use super::scopes::Scopes;

/// The holder of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// A person who authorised an app. Streams and closed feeds want such a token.
    User,
    /// An app on its own (`client_credentials`).
    App,
}

/// A token as its server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) holder: Holder,
    pub(crate) scopes: Scopes,
    /// The app's number; tokens of the configuration belong to none.
    pub(crate) app: Option<u64>,
    /// Cancelled when the token is revoked: open streams end then.
    pub(crate) revoked: CancellationToken,
}

/// The tokens of one server by their text. Revoked ones stay known, because a server names them so.
#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, Token>);

impl Tokens {
    /// User tokens with scope `read`, as an operator has them from elsewhere.
    pub(crate) fn of_operator(texts: &[String]) -> Tokens {
        let mut tokens = Tokens::default();
        for text in texts {
            tokens.put(text.clone(), Holder::User, Scopes::parse(None).expect("read is a scope"), None);
        }
        tokens
    }

    pub(crate) fn put(&mut self, text: String, holder: Holder, scopes: Scopes, app: Option<u64>) {
        let revoked = CancellationToken::new();
        self.0.insert(text, Token { holder, scopes, app, revoked });
    }

    pub(crate) fn get(&self, text: &str) -> Option<&Token> {
        self.0.get(text)
    }

    /// Revokes a token; false if there is none, or it was revoked before.
    pub(crate) fn revoke(&self, text: &str) -> bool {
        let Some(token) = self.0.get(text).filter(|token| !token.revoked.is_cancelled()) else { return false };
        token.revoked.cancel();
        true
    }

    /// Revokes every token.
    pub(crate) fn revoke_all(&self) {
        self.0.values().for_each(|token| token.revoked.cancel());
    }
}
