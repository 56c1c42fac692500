//! How large an image is, from the beginning of its file. Nothing is decoded: the model does that.

use wire::MediaType;

/// Width and height in pixels, if the header says so.
pub(crate) fn dimensions(media: MediaType, bytes: &[u8]) -> Option<(u32, u32)> {
    match media {
        MediaType::Png => Some((big(bytes, 16, 4)?, big(bytes, 20, 4)?)),
        MediaType::Gif => Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?)),
        MediaType::Jpeg => jpeg(bytes),
        MediaType::Webp => webp(bytes),
        MediaType::Pdf => None,
    }
}

/// JPEG is a chain of segments; one of the kind "start of frame" has the size (ITU T.81, B.2.2).
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return Some((big(bytes, at + 6, 2)?, big(bytes, at + 4, 2)?));
        }
        // Markers without a segment stand alone; behind any other comes its length.
        at += 1;
        if !matches!(marker, 0x01 | 0xd0..=0xd8) {
            at += big(bytes, at, 2)? as usize;
        }
        if *bytes.get(at)? != 0xff {
            return None;
        }
    }
}

/// The three kinds of WebP (RFC 9649): lossy, lossless, and extended with the size of the canvas.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " => Some((little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let both = little(bytes, 21, 4)?;
            Some(((both & 0x3fff) + 1, ((both >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        _ => None,
    }
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stand_where_the_formats_say() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0";
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03";
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";
        for (media, bytes) in [
            (MediaType::Png, &png[..]),
            (MediaType::Jpeg, jpeg),
            (MediaType::Gif, b"GIF89a\x80\x02\xe0\x01"),
            (MediaType::Webp, lossy),
            (MediaType::Webp, lossless),
            (MediaType::Webp, extended),
        ] {
            assert_eq!(dimensions(media, bytes), Some((640, 480)), "{media:?}");
            for cut in 0..bytes.len() {
                let size = dimensions(media, &bytes[..cut]);
                assert!(size.is_none() || size == Some((640, 480)), "{media:?} cut at {cut}: {size:?}");
            }
        }
        assert_eq!(dimensions(MediaType::Pdf, b"%PDF-1.7"), None);
    }
}
