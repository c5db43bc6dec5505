//! Frames: `[length u32][crc32c u32][payload]`, little-endian. A frame is what one `fdatasync` made
//! durable, whole: so a torn frame was never acknowledged. Does not know files or records.
//!
//! The payload starts with four bytes that name the version. The checksum runs over the number of
//! the file, the offset of the frame and the payload, so that bytes left over from another place
//! are no frame here.

use model::limits;

/// Length and checksum.
const HEADER_BYTES: usize = 8;
/// The version, and the sign by which a frame is found again behind damage.
const MARK: [u8; 4] = *b"CDN1";
/// Records that one frame takes.
pub const RECORD_BYTES: usize = limits::LEDGER_FRAME_BYTES - MARK.len();

fn checksum(number: u64, offset: u64, payload: &[u8]) -> u32 {
    let place = [number.to_le_bytes(), offset.to_le_bytes()].concat();
    crc32c::crc32c_append(crc32c::crc32c(&place), payload)
}

/// The bytes of a frame at `offset` of file `number`; at most [`RECORD_BYTES`] of records.
pub fn seal(number: u64, offset: u64, records: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + MARK.len() + records.len());
    let length = MARK.len() + records.len();
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&MARK);
    frame.extend_from_slice(records);
    let checksum = checksum(number, offset, &frame[HEADER_BYTES..]);
    frame[4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    frame
}

/// The records of the whole and valid frame at `offset`, and where the next one starts.
pub fn open(number: u64, bytes: &[u8], offset: usize) -> Option<(&[u8], usize)> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > limits::LEDGER_FRAME_BYTES {
        return None;
    }
    let payload = rest.get(..length)?;
    let records = payload.strip_prefix(&MARK)?;
    let valid = checksum(number, offset as u64, payload) == u32::from_le_bytes(*expected);
    valid.then_some((records, offset + HEADER_BYTES + length))
}

/// Whether a valid frame starts anywhere behind `offset`.
pub fn any_behind(number: u64, bytes: &[u8], offset: usize) -> bool {
    let mut from = offset + HEADER_BYTES + 1;
    while let Some(found) = bytes
        .get(from..)
        .and_then(|rest| rest.windows(MARK.len()).position(|window| window == MARK.as_slice()))
    {
        if open(number, bytes, from + found - HEADER_BYTES).is_some() {
            return true;
        }
        from += found + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_only_where_it_was_written() {
        let mut bytes = seal(7, 0, b"first");
        let second = bytes.len();
        bytes.extend(seal(7, second as u64, b"second"));
        assert_eq!(open(7, &bytes, 0), Some((b"first".as_slice(), second)));
        assert_eq!(open(7, &bytes, second).map(|found| found.0), Some(b"second".as_slice()));
        assert_eq!(open(8, &bytes, 0), None, "another file's number");
        assert_eq!(open(7, &bytes[second..], 0), None, "another place");
    }

    #[test]
    fn a_changed_byte_anywhere_makes_it_no_frame() {
        let frame = seal(1, 0, b"records");
        for place in 0..frame.len() {
            let mut changed = frame.clone();
            changed[place] ^= 1;
            assert_eq!(open(1, &changed, 0), None, "byte {place}");
            assert_eq!(open(1, &frame[..place], 0), None, "cut at {place}");
        }
    }

    #[test]
    fn a_valid_frame_is_found_behind_damage() {
        let mut bytes = seal(1, 0, b"CDN1 looks like a mark");
        let second = bytes.len();
        bytes.extend(seal(1, second as u64, b"second"));
        assert!(any_behind(1, &bytes, 0));
        assert!(!any_behind(1, &bytes, second));
        assert!(!any_behind(1, &bytes[..bytes.len() - 1], 0));
    }
}
