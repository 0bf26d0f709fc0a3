//! Cursors: where the next page of a list begins, as text that means nothing to a client.

use broadside_shared::hash::WorldHash;

use crate::secret::{base64url, from_base64url};

/// Bytes of the checksum in front of a cursor's content.
const CHECKSUM: usize = 4;

/// A cursor of the list that `list` names, with this content.
pub(super) fn write(list: &str, content: &[u8]) -> String {
    base64url(&[&checksum(list, content)[..], content].concat())
}

/// The content of a cursor. `None` if it is damaged or of another list: a page that begins somewhere else would look right and be wrong.
pub(super) fn read<const N: usize>(list: &str, cursor: &str) -> Option<[u8; N]> {
    // Checked before decoding: a query may be long.
    if cursor.len() != ((CHECKSUM + N) * 4).div_ceil(3) {
        return None;
    }
    let bytes = from_base64url(cursor)?;
    let (sum, content) = bytes.split_at_checked(CHECKSUM)?;
    (sum == checksum(list, content)).then(|| content.try_into().ok()).flatten()
}

/// Against mistakes, not against malice: a forged cursor shows a page from another place, and nothing that is not public.
fn checksum(list: &str, content: &[u8]) -> [u8; CHECKSUM] {
    let mut hash = WorldHash::default();
    for part in [list.as_bytes(), content] {
        hash.u64(part.len() as u64);
        part.iter().for_each(|byte| hash.u64(u64::from(*byte)));
    }
    let sum = hash.finish().to_be_bytes();
    [sum[0], sum[1], sum[2], sum[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_by_its_own_list_only() {
        let cursor = write("teams", &[7; 40]);
        assert_eq!(read::<40>("teams", &cursor), Some([7; 40]));
        assert_eq!(read::<40>("duel", &cursor), None, "another list");
        assert_eq!(read::<24>("teams", &cursor), None, "another kind of list");
        for at in 0..cursor.len() {
            let mut damaged = cursor.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("still text");
            assert_eq!(read::<40>("teams", &damaged), None, "{damaged}");
        }
        for wrong in ["", "A", &cursor[1..], &format!("{cursor}A"), &"ä".repeat(30), &"=".repeat(cursor.len())] {
            assert_eq!(read::<40>("teams", wrong), None, "{wrong}");
        }
    }
}
