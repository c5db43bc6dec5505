//! How a vendor's credential stands in a request, and a workload's token in its place.

use model::Secret;
use model::error::Malformed;

use super::pattern::Pattern;
use crate::connector::{Asking, Authorised, Leaving, Minted, SecretOf, scheme, sigv4};
use crate::json::{self, Json};

/// Where the credential stands.
#[derive(Debug)]
pub(super) enum Shape {
    /// In `Authorization`, behind this word.
    Bearer(&'static str),
    /// In a header of the vendor's own.
    Header(&'static str),
    /// In `Authorization: Basic` (RFC 7617).
    Basic(User),
    /// Under this key of a JSON body.
    Body(&'static str),
    /// In a signature of this service's (AWS).
    Signature(&'static str),
    /// `user:password` as `Basic`; anything else behind `Bearer`.
    BasicOrBearer,
}

/// Who the user of a `Basic` pair is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// Always this one; the credential is the password.
    Fixed(&'static str),
    /// The credential itself; there is no password.
    Credential,
    /// A part of the credential, which is `user:password`.
    Paired,
}

/// How credentials of a vendor look and where they stand.
#[derive(Debug)]
pub(super) struct Credential {
    pub shape: Shape,
    /// Under which key of a JSON body it stands as well, where a program puts it there.
    pub also_under: Option<&'static str>,
    /// How each one begins.
    pub begins: &'static str,
    /// How a workload's token is made.
    pub form: Pattern,
    /// Variables of the vendor's SDK, and which part of the token each one is.
    pub environment: &'static [(&'static str, Piece)],
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// All of it.
    Token,
    /// What stands before the first colon.
    User,
    /// What stands behind it.
    Password,
}

impl Credential {
    /// Checks the shape of what an operator gives.
    pub fn check(&self, text: &str) -> Result<(), Malformed> {
        if let Shape::Signature(_) = self.shape {
            return sigv4::check(text);
        }
        let wrong = |why| Err(Malformed::new("credential", why));
        let paired = matches!(self.shape, Shape::Basic(User::Paired));
        if !text.starts_with(self.begins) {
            return wrong("it does not begin as this vendor's credentials do");
        }
        if text.len() < 8 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("it is at least 8 visible characters without spaces");
        }
        if paired && !text.contains(':') { wrong("it is `user:password`") } else { Ok(()) }
    }

    /// A token for a workload.
    pub fn mint(&self, random: [u8; 48], secret_of: SecretOf<'_>) -> Minted {
        if let Shape::Signature(_) = self.shape {
            return sigv4::mint(random, secret_of);
        }
        let token = self.form.make(random);
        let (user, password) = token.split_once(':').unwrap_or((&token, &token));
        let environment = self.environment.iter().map(|(name, piece)| {
            let value = match piece {
                Piece::Token => &token,
                Piece::User => user,
                Piece::Password => password,
            };
            (*name, Secret::new(value.to_owned()))
        });
        Minted { environment: environment.collect(), token: Secret::new(token) }
    }

    /// Whether the body is needed to know the token.
    pub const fn stands_in_body(&self) -> bool {
        matches!(self.shape, Shape::Body(_) | Shape::Signature(_))
    }

    /// The token in a request.
    pub fn presented(&self, asking: &Asking<'_>) -> Option<Secret<String>> {
        let token = match &self.shape {
            Shape::Bearer(word) => scheme::bearer(asking, word)?,
            Shape::Header(name) => Secret::new((asking.header)(name)?.trim().to_owned()),
            Shape::Basic(user) => user.token(&scheme::basic(asking)?)?,
            Shape::BasicOrBearer => {
                scheme::basic(asking).or_else(|| scheme::bearer(asking, "bearer"))?
            }
            Shape::Signature(service) => {
                return sigv4::signer(service, asking).map(Secret::new);
            }
            Shape::Body(key) => {
                let body = json::parse(asking.body).ok()?;
                Secret::new(body.get(key)?.text()?.to_owned())
            }
        };
        self.check(token.expose()).is_ok().then_some(token)
    }

    /// What puts the vendor's credential into a request.
    pub fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        let authorised = match &self.shape {
            Shape::Bearer(word) => scheme::authorization(word, credential),
            Shape::Header(name) => {
                let headers = vec![(*name, credential.clone())];
                Authorised { headers, ..Authorised::default() }
            }
            Shape::Basic(user) => scheme::basic_authorization(&user.pair(credential)),
            Shape::BasicOrBearer if credential.expose().contains(':') => {
                scheme::basic_authorization(credential)
            }
            Shape::BasicOrBearer => scheme::authorization("Bearer", credential),
            Shape::Signature(service) => {
                return sigv4::authorise(service, credential, leaving, &[]);
            }
            Shape::Body(_) => Authorised::default(),
        };
        Ok(Authorised { body: self.in_body(credential, leaving.body)?, ..authorised })
    }

    /// The body with the credential in it, where it stands there.
    fn in_body(
        &self,
        credential: &Secret<String>,
        body: &[u8],
    ) -> Result<Option<Secret<Vec<u8>>>, Malformed> {
        let (key, always) = match (&self.shape, self.also_under) {
            (Shape::Body(key), _) => (*key, true),
            (_, Some(key)) => (key, false),
            _ => return Ok(None),
        };
        let why = "it stands in a body of JSON, which this one is not";
        let mut body = match json::parse(body) {
            Ok(body @ Json::Object(_)) => body,
            _ if always => return Err(Malformed::new("credential", why)),
            _ => return Ok(None),
        };
        if !always && body.get(key).is_none() {
            return Ok(None);
        }
        body.set(key, Json::Text(credential.expose().as_str().into()));
        Ok(Some(Secret::new(body.to_bytes())))
    }
}

impl User {
    fn token(self, pair: &Secret<String>) -> Option<Secret<String>> {
        let (user, password) = pair.expose().split_once(':')?;
        match self {
            Self::Fixed(_) => Some(password),
            Self::Credential => Some(user),
            Self::Paired => Some(pair.expose().as_str()),
        }
        .map(|text| Secret::new(text.to_owned()))
    }

    fn pair(self, credential: &Secret<String>) -> Secret<String> {
        Secret::new(match self {
            Self::Fixed(user) => format!("{user}:{}", credential.expose()),
            Self::Credential => format!("{}:", credential.expose()),
            Self::Paired => credential.expose().clone(),
        })
    }
}
