//! Images and documents: how they come in, what they weigh, and who gets to see them.

use super::fact::Gathered;
use super::owner::Owner;
use super::perform::unreadable;
use crate::secrets::Secrets;
use agent::Tokens;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::body;
use wire::rest::Abilities;
use wire::{BlobHash, Code, MediaType, Problem};

/// Attachments of one prompt.
pub(crate) const PER_PROMPT: usize = 16;
/// The largest attachment.
pub(crate) const BYTES: usize = 8 << 20;
/// The longest name that a complaint quotes.
const LONGEST_SHOWN_BYTES: usize = 200;
/// What one request holds of them; providers refuse bodies of some 30 MB.
const REQUEST_BYTES: u64 = 16 << 20;
/// What an image weighs in a context. Providers count by its size in pixels; this is what a large one costs.
const IMAGE_TOKENS: Tokens = Tokens(1_600);
/// Bytes of a document for one token: a page of a PDF has some 50 KiB and costs some 1,500 tokens.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 32;

/// An image or a document that came with a prompt.
#[derive(Debug, Clone)]
pub struct Attached {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub media: MediaType,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Attached {
    /// Checks what somebody sent.
    pub(crate) fn new(name: String, bytes: Vec<u8>) -> Result<Attached, Problem> {
        // Whole or not at all: a cut could go through a key, which would then not be known any more.
        let shown = if name.len() <= LONGEST_SHOWN_BYTES { name.as_str() } else { "an attachment" };
        if bytes.len() > BYTES {
            let detail = format!("{shown:?} has {} bytes; the most for an attachment is {BYTES}", bytes.len());
            return Err(Problem::new(Code::TooLarge, detail).remedy("make it smaller"));
        }
        let media = MediaType::of(&bytes).ok_or_else(|| {
            Problem::new(Code::InvalidRequest, format!("{shown:?} is no PNG, JPEG, GIF or WebP image and no PDF"))
                .remedy("put text into the prompt itself, or name the file and let the model read it")
        })?;
        Ok(Attached { name, media, bytes })
    }

    /// Puts it into a body. Bytes are never altered, so those that hold a key are refused.
    pub(super) fn gather(&self, gathered: &mut Gathered, secrets: &Secrets) -> Result<body::Attachment, Problem> {
        let name = super::model::bounded(secrets.mask(&self.name).into_owned());
        if let Some(key) = secrets.holds(&self.bytes) {
            let detail = format!("attachment {name:?} holds the key {key}");
            return Err(Problem::new(Code::InvalidRequest, detail).remedy("take the key out of it"));
        }
        let blob = gathered.bytes(&self.bytes);
        Ok(body::Attachment { name, media_type: self.media, blob, bytes: self.bytes.len() as u64 })
    }
}

/// What attachments weigh.
pub(super) fn tokens(attachments: &[body::Attachment]) -> Tokens {
    attachments.iter().map(|one| weight(one.media_type, one.bytes)).sum()
}

/// What one attachment weighs.
pub(super) fn weight(media: MediaType, bytes: u64) -> Tokens {
    if media.is_image() { IMAGE_TOKENS } else { IMAGE_TOKENS + Tokens(bytes / DOCUMENT_BYTES_PER_TOKEN) }
}

/// The bytes of attachments, for one request.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    bytes: BTreeMap<BlobHash, Arc<[u8]>>,
    /// Those that are there and are left out.
    left_out: BTreeSet<BlobHash>,
    abilities: Abilities,
}

impl Lookup {
    /// What a model gets of attachments: those that it takes, and words for the others.
    pub(super) fn split(&self, attachments: &[body::Attachment]) -> (Vec<models::Attachment>, String) {
        let (mut taken, mut words) = (Vec::new(), String::new());
        for one in attachments {
            let (name, media) = (one.name.clone(), one.media_type);
            match self.bytes.get(&one.blob) {
                Some(bytes) if self.takes(media) => {
                    taken.push(models::Attachment { name, media_type: media, bytes: bytes.clone() })
                }
                _ if !self.takes(media) => {
                    let (word, bytes) = (media.word(), one.bytes);
                    words.push_str(&format!("\n[{name}: {word}, {bytes} bytes; this model does not take it]"));
                }
                _ if self.left_out.contains(&one.blob) => {
                    words.push_str(&format!("\n[{name}: shown before, and left out here to make room]"));
                }
                _ => words.push_str(&format!("\n[{name}: it was forgotten at the user's wish]")),
            }
        }
        (taken, words)
    }

    fn takes(&self, media: MediaType) -> bool {
        let able = if media.is_image() { self.abilities.images } else { self.abilities.documents };
        able == Some(true)
    }
}

impl Owner {
    /// Fetches the bytes that a request needs, the newest first, as far as one request holds them. They are not kept in
    /// memory beyond it.
    pub(super) async fn look_up(
        &self,
        wanted: impl Iterator<Item = &body::Attachment>,
        abilities: Abilities,
    ) -> Result<Lookup, Problem> {
        let mut lookup = Lookup { abilities, ..Lookup::default() };
        let wanted: Vec<(BlobHash, u64, MediaType)> = wanted.map(|one| (one.blob, one.bytes, one.media_type)).collect();
        let mut room = REQUEST_BYTES;
        for (hash, size, media) in wanted.into_iter().rev() {
            if !lookup.takes(media) || lookup.bytes.contains_key(&hash) {
                continue;
            }
            if size > room {
                lookup.left_out.insert(hash);
            } else if let Some(found) = self.house.store.blob(hash).await.map_err(unreadable)? {
                room -= size;
                lookup.bytes.insert(hash, found.into());
            }
        }
        Ok(lookup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_gets_what_it_takes_and_words_for_the_rest() {
        let one = |media, of: &[u8]| body::Attachment {
            name: "a".into(),
            media_type: media,
            blob: BlobHash::of(of),
            bytes: 3,
        };
        let all = [one(MediaType::Png, b"png"), one(MediaType::Pdf, b"pdf"), one(MediaType::Gif, b"gone")];
        let bytes = [&b"png"[..], b"pdf"].map(|bytes| (BlobHash::of(bytes), bytes.into())).into();
        let abilities = Abilities { images: Some(true), ..Abilities::default() };
        let (taken, words) = Lookup { bytes, abilities, ..Lookup::default() }.split(&all);
        assert_eq!(taken.iter().map(|one| &one.bytes[..]).collect::<Vec<_>>(), [b"png"]);
        assert!(words.contains("application/pdf, 3 bytes; this model") && words.contains("forgotten"), "{words}");
    }

    #[test]
    fn what_is_neither_image_nor_document_is_refused() {
        let refused = Attached::new("x.bin".into(), b"MZ".to_vec()).unwrap_err();
        assert_eq!(refused.code, Code::InvalidRequest);
        assert_eq!(Attached::new("x".into(), vec![0; BYTES + 1]).unwrap_err().code, Code::TooLarge);
        assert!(Attached::new("x".into(), b"%PDF-1.4".to_vec()).is_ok());
    }
}
