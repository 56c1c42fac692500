//! The header of a member (POSIX.1-1988 "ustar"), in the one form that there is here: a regular file of mode 0600, of
//! nobody and no time. Sizes from 8 GiB on stand in base 256, as GNU tar writes them.

use wire::snapshot::is_name;

/// Bytes of a header, and what members are padded to.
pub(super) const BLOCK: usize = 512;
/// What stands after the last member.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// The first size that does not fit eleven octal digits.
const TOO_LARGE_FOR_OCTAL: u64 = 1 << 33;

/// The header of a member.
pub(super) fn write(name: &str, bytes: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(NAME.start, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if bytes < TOO_LARGE_FOR_OCTAL {
        put(SIZE.start, format!("{bytes:011o}\0").as_bytes());
    } else {
        put(SIZE.start, &[0x80, 0, 0, 0]);
        put(SIZE.start + 4, &bytes.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(CHECKSUM.start, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Name and size of a header that is exactly as [`write`] would write it; `None` for any other.
pub(super) fn read(header: &[u8; BLOCK]) -> Option<(String, u64)> {
    let name = header[NAME].split(|byte| *byte == 0).next()?;
    let name = std::str::from_utf8(name).ok().filter(|name| is_member(name))?;
    let size = &header[SIZE];
    let bytes = match size.strip_prefix(&[0x80]) {
        Some(rest) => u64::from_be_bytes(rest[3..].try_into().ok()?),
        None => u64::from_str_radix(std::str::from_utf8(&size[..11]).ok()?, 8).ok()?,
    };
    (write(name, bytes) == *header).then(|| (name.to_owned(), bytes))
}

/// Whether a header, whole or not, begins as that of this member does.
pub(super) fn is_of(header: &[u8; BLOCK], name: &str) -> bool {
    header[NAME].strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(&[0]))
}

/// Whether a member may have this name: that of a file, with `.gz` behind it where it is compressed.
fn is_member(name: &str) -> bool {
    is_name(name.strip_suffix(".gz").unwrap_or(name))
}

/// Zeros after so many bytes of a member.
pub(super) fn padding(bytes: u64) -> u64 {
    (BLOCK as u64 - bytes % BLOCK as u64) % BLOCK as u64
}

/// What a member takes in the file; `None` where no file is so large.
pub(super) fn member_bytes(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(BLOCK as u64)?.checked_add(BLOCK as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_only_in_its_own_form() {
        for bytes in [0, 1, 511, TOO_LARGE_FOR_OCTAL - 1, TOO_LARGE_FOR_OCTAL, u64::MAX] {
            let header = write("keys/openai.gz", bytes);
            assert_eq!(read(&header), Some(("keys/openai.gz".to_owned(), bytes)));
            for bit in 0..BLOCK * 8 {
                let mut flipped = header;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(&flipped), None, "bit {bit} of a header for {bytes} bytes");
            }
        }
        // Well-formed in the eyes of any tar, and nothing that is taken here.
        for (at, what) in [(156, b'2'), (156, b'1'), (156, b'3'), (156, b'5'), (156, b'x'), (156, b'L'), (0, b'/')] {
            let mut header = write("journal.db", 10);
            header[at] = what;
            header[CHECKSUM].copy_from_slice(b"        ");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert_eq!(read(&header), None);
        }
        assert_eq!(read(&write("../journal.db", 10)), None);
    }
}
