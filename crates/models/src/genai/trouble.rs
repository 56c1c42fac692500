//! Why a call failed, out of what the library says, before it is put into words without secrets.
//!
//! The library's own words are never shown: they repeat the request, or a URL, or hide a status in an error of an
//! error.

use crate::http::client::root_cause;
use crate::http::refusal;
use crate::http::retry_after::retry_after_ms;
use crate::key::Key;
use agent::Failure;
use genai::Error;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::string::FromUtf8Error;
use std::time::Duration;

/// What to do when the path is not there.
const WRONG_PATH: &str = "; check base_url: most end in /v1, Gemini's in /v1beta, and the rest is added";

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Trouble {
    /// As the brain distinguishes it.
    pub(super) failure: Failure,
    /// How long the provider asked us to wait.
    pub(super) retry_after_ms: Option<u64>,
    /// What happened, with the server in front of it.
    pub(super) message: String,
    /// Whether the provider may have worked, and so will want to be paid.
    pub(super) worked: bool,
}

/// How a stream of the library went wrong.
#[derive(Debug)]
pub(super) enum Broken {
    /// The request was not sent, or no byte of an answer came.
    Unsent(reqwest::Error),
    /// Anything else.
    Trouble(Trouble),
}

impl Trouble {
    /// A failure without a wait.
    pub(super) fn new(failure: Failure, worked: bool, message: String) -> Trouble {
        Trouble { failure, retry_after_ms: None, message, worked }
    }

    /// A wait that was too long.
    pub(super) fn too_slow(what: &str, limit: Duration, name: &str) -> Trouble {
        Trouble::new(Failure::TimedOut, true, format!("was given up: {what} within {limit:?} (timeout {name})"))
    }

    /// Sending failed.
    pub(super) fn unsent(error: reqwest::Error, connect: Duration) -> Trouble {
        let (failure, worked, message) = if error.is_connect() && error.is_timeout() {
            let message = format!(
                "gave no connection within {connect:?} (timeout connect); is it running, and is base_url right?"
            );
            (Failure::Unreachable, false, message)
        } else if error.is_connect() {
            let message = format!("cannot be reached: {}; is it running, and is base_url right?", root_cause(error));
            (Failure::Unreachable, false, message)
        } else {
            (Failure::Broken, true, format!("closed the connection without an answer: {}", root_cause(error)))
        };
        Trouble::new(failure, worked, message)
    }

    fn refused(status: StatusCode, headers: &HeaderMap, body: &str, key: Option<&Key>) -> Trouble {
        let masked = |text: &str| key.map_or_else(|| text.to_owned(), |key| key.mask(text));
        let body = masked(body);
        let refusal = refusal::read_body(&body);
        // Gemini answers 400 to a wrong key.
        let about_key = body.contains("API_KEY_INVALID") || body.contains("API key not valid");
        let failure = if about_key { Failure::Unauthorized } else { refusal.failure(status) };
        let remedy = refusal::remedy(failure, status, WRONG_PATH);
        let message = format!("answered {status}: {}{remedy}", refusal::shorten(&masked(&refusal.message)));
        let retry_after_ms = retry_after_ms(headers, jiff::Timestamp::now());
        Trouble { failure, retry_after_ms, message, worked: false }
    }
}

impl Broken {
    /// Reads an error of the library. `heard` says whether any frame came before.
    pub(super) fn new(error: Error, heard: bool, key: Option<&Key>) -> Broken {
        let trouble = match error {
            Error::WebStream { error, .. } => match error.downcast::<reqwest::Error>() {
                Ok(error) if !heard && (error.is_connect() || error.is_request()) => return Broken::Unsent(*error),
                Ok(error) => {
                    Trouble::new(Failure::Broken, true, format!("broke the answer off: {}", root_cause(*error)))
                }
                Err(error) => match error.downcast_ref::<Error>() {
                    Some(Error::HttpError { status, headers, body, .. }) => {
                        Trouble::refused(*status, headers, body, key)
                    }
                    _ if error.is::<FromUtf8Error>() => {
                        let message = "sent bytes that are not UTF-8, so nothing of this answer can be trusted";
                        Trouble::new(Failure::Broken, true, message.to_owned())
                    }
                    _ => Trouble::new(Failure::Broken, true, "broke the answer off".to_owned()),
                },
            },
            Error::WebModelCall { .. } | Error::WebAdapterCall { .. } | Error::HttpError { .. } => {
                Trouble::new(Failure::Broken, true, "could not be asked: the HTTP request failed".to_owned())
            }
            Error::ChatResponse { .. } | Error::StreamParse { .. } | Error::JsonValueExt(_) | Error::SerdeJson(_) => {
                let message = "sent something that is not of its dialect; check that base_url names such a server";
                Trouble::new(Failure::Broken, true, message.to_owned())
            }
            // Everything else is said before anything is sent.
            _ => {
                let message = "was not asked: the request cannot be put into its dialect".to_owned();
                Trouble::new(Failure::Rejected, false, message)
            }
        };
        Broken::Trouble(trouble)
    }
}
