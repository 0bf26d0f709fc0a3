//! The blocks of a recording; checkpoints of a server consist of blocks of other kinds.

/// The first bytes of a recording; the last of them is the version of the format.
pub const MAGIC: [u8; 8] = *b"BSREPLY\x02";
/// Bytes before a payload: kind and length.
pub(super) const HEADER: usize = 5;
/// Bytes after a payload: the checksum.
const CHECKSUM: usize = 4;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    Head = 0,
    Checkpoint = 1,
    Ticks = 2,
    /// Nothing: the recording is whole.
    End = 3,
}

impl From<BlockKind> for u8 {
    fn from(kind: BlockKind) -> u8 {
        kind as u8
    }
}

impl TryFrom<u8> for BlockKind {
    type Error = ();

    fn try_from(number: u8) -> Result<Self, ()> {
        let all = [BlockKind::Head, BlockKind::Checkpoint, BlockKind::Ticks, BlockKind::End];
        all.into_iter().find(|kind| *kind as u8 == number).ok_or(())
    }
}

/// A block with its checksum.
#[must_use]
pub fn write(kind: impl Into<u8>, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a block is shorter than 4 GiB");
    let mut block = Vec::with_capacity(HEADER + payload.len() + CHECKSUM);
    block.push(kind.into());
    block.extend(length.to_le_bytes());
    block.extend(payload);
    let checksum = crc32fast::hash(&block);
    block.extend(checksum.to_le_bytes());
    block
}

/// The kind and the payload of the first block of `bytes`, and its length. `None` at the end of the bytes, and for a block that was cut off
/// or is damaged.
#[must_use]
pub fn read<K: TryFrom<u8>>(bytes: &[u8]) -> Option<(K, &[u8], usize)> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let length = u32::from_le_bytes(header[1..].try_into().expect("four bytes")) as usize;
    let payload = rest.get(..length)?;
    let checksum = rest.get(length..)?.first_chunk::<CHECKSUM>()?;
    if crc32fast::hash(&bytes[..HEADER + length]) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let kind = K::try_from(header[0]).ok()?;
    Some((kind, payload, HEADER + length + CHECKSUM))
}

/// Length of a recording up to its last whole block, or up to its end if it has one: what goes on is written from there.
#[must_use]
pub fn open_length(recording: &[u8]) -> usize {
    let mut length = MAGIC.len().min(recording.len());
    while let Some((kind, _, more)) = read::<BlockKind>(&recording[length..])
        && kind != BlockKind::End
    {
        length += more;
    }
    length
}
