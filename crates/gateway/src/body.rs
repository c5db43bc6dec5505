//! A caller's body: whole, within its cap and the caps of all bodies together, unpacked.

use std::io::Read as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use model::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::aws_chunked::Checksum;
use crate::cx::{Cx, Patience};
use crate::refused::Refused;

/// The room that all bodies share, in bytes.
type Bodies = Arc<Semaphore>;

/// A body with its place among all that are held.
pub(crate) struct Held {
    pub bytes: Bytes,
    pub place: Option<OwnedSemaphorePermit>,
    /// What stood behind it, if it came so.
    pub checksum: Option<Checksum>,
}

/// Reads a body to its end.
pub(crate) async fn collect(
    bodies: &Bodies,
    patience: &Patience,
    body: &mut Incoming,
    cap: usize,
) -> Result<Held, Refused> {
    if body.size_hint().lower() > cap as u64 {
        return Err(Refused::BodyTooLarge(cap));
    }
    let deadline = Instant::now() + patience.read;
    timeout_at(deadline, collect_frames(bodies, patience, body, cap))
        .await
        .map_err(|_| Refused::BodySlow)?
}

async fn collect_frames(
    bodies: &Bodies,
    patience: &Patience,
    body: &mut Incoming,
    cap: usize,
) -> Result<Held, Refused> {
    let mut bytes = BytesMut::new();
    let mut place: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        // A trailer could add to what the head says (RFC 9110 §6.5.1): there are none here.
        let data = frame.map_err(|_| Refused::BodyCut)?.into_data();
        let data = data.map_err(|_| Refused::BodyCut)?;
        if bytes.len() + data.len() > cap {
            return Err(Refused::BodyTooLarge(cap));
        }
        let more = hold(bodies, patience, data.len()).await?;
        match &mut place {
            Some(place) => place.merge(more),
            None => place = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Held { bytes: bytes.freeze(), place, checksum: None })
}

/// Waits for room for so many bytes more.
async fn hold(
    bodies: &Bodies,
    patience: &Patience,
    bytes: usize,
) -> Result<OwnedSemaphorePermit, Refused> {
    let wanted = u32::try_from(bytes).map_err(|_| Refused::Busy)?;
    let waiting = bodies.clone().acquire_many_owned(wanted);
    let place = tokio::time::timeout(patience.busy, waiting).await;
    place.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Busy)
}

/// Unpacks a gzip body, as far as the ratio and the cap allow.
pub(crate) async fn unpack(cx: &Cx, packed: &[u8], cap: usize) -> Result<Held, Refused> {
    let most = packed.len().saturating_mul(limits::DECOMPRESSION_RATIO);
    let mut place = hold(&cx.bodies, &cx.patience, most.min(cap)).await?;
    let bytes = inflate(packed, most, cap)?;
    drop(place.split(place.num_permits().saturating_sub(bytes.len()))); // what it did not grow to
    Ok(Held { bytes, place: Some(place), checksum: None })
}

fn inflate(packed: &[u8], most: usize, cap: usize) -> Result<Bytes, Refused> {
    let limit = most.min(cap);
    let mut bytes = Vec::new();
    let mut capped = MultiGzDecoder::new(packed).take(limit as u64 + 1);
    capped.read_to_end(&mut bytes).map_err(|_| Refused::EncodingBroken)?;
    match bytes.len() {
        length if length <= limit => Ok(bytes.into()),
        _ if cap <= most => Err(Refused::BodyTooLarge(cap)),
        _ => Err(Refused::Inflates),
    }
}

/// Unpacks a vendor's gzip reply, as far as the cap of replies allows.
pub(crate) fn unpack_reply(packed: &[u8]) -> Result<Bytes, Refused> {
    let cap = limits::VENDOR_RESPONSE_BYTES;
    inflate(packed, cap, cap).map_err(|refused| match refused {
        Refused::EncodingBroken => Refused::ReplyEncoding,
        _ => Refused::ReplyTooLarge,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    #[test]
    fn a_gzip_body_unpacks_within_ratio_and_cap() {
        let plain = b"{\"to\":\"ann@example.com\"}".repeat(20);
        let packed = gzip(&plain);
        let check = |packed: &[u8], most, cap| inflate(packed, most, cap).map(|b| b.to_vec());
        assert_eq!(check(&packed, 100_000, 100_000), Ok(plain.clone()));
        assert_eq!(check(&packed, plain.len(), 100_000), Ok(plain.clone()));
        assert_eq!(check(&packed, plain.len() - 1, 100_000), Err(Refused::Inflates));
        assert_eq!(check(&packed, 100_000, 100), Err(Refused::BodyTooLarge(100)));
        assert_eq!(check(&packed[..9], 100_000, 100_000), Err(Refused::EncodingBroken));
        assert_eq!(check(b"{}", 100_000, 100_000), Err(Refused::EncodingBroken));
    }

    #[test]
    fn a_bomb_is_not_unpacked_beyond_its_limit() {
        let packed = gzip(&vec![0; 8 * 1024 * 1024]);
        let most = packed.len() * limits::DECOMPRESSION_RATIO;
        assert_eq!(inflate(&packed, most, usize::MAX - 1), Err(Refused::Inflates));
    }
}
