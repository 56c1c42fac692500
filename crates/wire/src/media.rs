//! Kinds of attachments: the images and documents that models read.

use serde::{Deserialize, Serialize};

macro_rules! media {
    ($($(#[$m:meta])* $name:ident = $word:literal, $($magic:literal)|+;)*) => {
        /// What an attachment is. Told by its first bytes, never by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum MediaType { $($(#[$m])* #[serde(rename = $word)] $name),* }

        impl MediaType {
            /// The word of RFC 6838.
            pub fn word(self) -> &'static str { match self { $(Self::$name => $word),* } }

            /// The kind that a file's first bytes say it is; `None` for what models do not read as an attachment.
            pub fn of(bytes: &[u8]) -> Option<MediaType> {
                $(if [$($magic as &[u8]),+].iter().any(|magic| bytes.starts_with(magic)) && Self::$name.fits(bytes) {
                    return Some(Self::$name);
                })*
                None
            }
        }
    };
}

media! {
    /// A PNG image.
    Png = "image/png", b"\x89PNG\r\n\x1a\n";
    /// A JPEG image.
    Jpeg = "image/jpeg", b"\xff\xd8\xff";
    /// A GIF image.
    Gif = "image/gif", b"GIF87a" | b"GIF89a";
    /// A WebP image.
    Webp = "image/webp", b"RIFF";
    /// A PDF document.
    Pdf = "application/pdf", b"%PDF-";
}

impl MediaType {
    /// Whether it is an image, rather than a document.
    pub fn is_image(self) -> bool {
        self != MediaType::Pdf
    }

    /// RIFF holds many things; a WebP image says so at its ninth byte.
    fn fits(self, bytes: &[u8]) -> bool {
        self != MediaType::Webp || bytes.get(8..12) == Some(b"WEBP")
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    #[test]
    fn first_bytes_say_what_it_is() {
        assert_eq!(MediaType::of(b"%PDF-1.7 \n"), Some(MediaType::Pdf));
        assert_eq!(MediaType::of(b"RIFF\0\0\0\0WEBPVP8 "), Some(MediaType::Webp));
        assert_eq!(MediaType::of(b"RIFF\0\0\0\0WAVEfmt "), None);
        assert_eq!(MediaType::of(b"\x89PNG"), None);
        assert_eq!(serde_json::to_string(&MediaType::Png).unwrap(), "\"image/png\"");
    }
}
