use serde::{Deserialize, Serialize};

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// The bins of file sizes that Delta-Spark counts in, too: it compares a histogram with its own only when they are equal.
/// Steps of one size up to and including a size, from the size before; a step of 0 doubles.
const STEPS: [(i64, i64); 9] = [
    (0, 4 * MIB),
    (4 * MIB, 40 * MIB),
    (8 * MIB, 120 * MIB),
    (4 * MIB, 144 * MIB),
    (16 * MIB, 576 * MIB),
    (64 * MIB, 1408 * MIB),
    (128 * MIB, 2 * GIB),
    (256 * MIB, 4 * GIB),
    (0, 256 * GIB),
];

fn bin_boundaries() -> Vec<i64> {
    let mut boundaries = vec![0, 8 * KIB];
    let mut last = 8 * KIB;
    for (step, end) in STEPS {
        while last < end {
            last += if step == 0 { last } else { step };
            boundaries.push(last);
        }
    }
    boundaries
}

/// How many files there are of which size (protocol section "File Size Histogram Schema").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSizeHistogram {
    /// Where the bins begin, in bytes; the first at 0, the last has no end.
    sorted_bin_boundaries: Vec<i64>,
    file_counts: Vec<i64>,
    total_bytes: Vec<i64>,
}

impl Default for FileSizeHistogram {
    fn default() -> Self {
        let sorted_bin_boundaries = bin_boundaries();
        let zeros = vec![0; sorted_bin_boundaries.len()];
        FileSizeHistogram { sorted_bin_boundaries, file_counts: zeros.clone(), total_bytes: zeros }
    }
}

impl FileSizeHistogram {
    /// Adds `count` files (or takes them out, where it is negative) of `size` bytes each.
    pub(super) fn count(&mut self, size: i64, count: i64) {
        let bin = self.sorted_bin_boundaries.partition_point(|&boundary| boundary <= size).saturating_sub(1);
        self.file_counts[bin] = self.file_counts[bin].saturating_add(count);
        self.total_bytes[bin] = self.total_bytes[bin].saturating_add(size.saturating_mul(count));
    }

    /// Whether it has the bins of [`FileSizeHistogram::default`], and what a table of so many files and bytes may have in
    /// each of them: another writer's may be of other bins, or damaged.
    pub(super) fn fits(&self, file_count: i64, size_bytes: i64) -> bool {
        let boundaries = bin_boundaries();
        self.sorted_bin_boundaries == boundaries
            && self.total_bytes.len() == boundaries.len()
            && is_sum(&self.total_bytes, size_bytes)
            && self.file_counts.len() == boundaries.len()
            && is_sum(&self.file_counts, file_count)
            && self.are_in_their_bins()
    }

    /// Whether the files of each bin can be of the sizes that it is for.
    fn are_in_their_bins(&self) -> bool {
        let ends = self.sorted_bin_boundaries.iter().skip(1).copied().chain([i64::MAX]);
        let bins = self.sorted_bin_boundaries.iter().zip(ends).zip(self.file_counts.iter().zip(&self.total_bytes));
        bins.into_iter().all(|((&begin, end), (&count, &bytes))| may_sum_to(count, begin, end - 1, bytes))
    }
}

/// How many rows deletion vectors delete in how many files (protocol section "Deleted Record Counts Histogram Schema").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecordCountsHistogram {
    /// Files without deleted rows, with 1 to 9 of them, 10 to 99 and so on.
    deleted_record_counts: [i64; 10],
}

/// Where its bins begin, after the first.
const DELETED_RECORDS: [i64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, i32::MAX as i64];

impl DeletedRecordCountsHistogram {
    /// Adds `count` files (or takes them out, where it is negative) with so many deleted rows each.
    pub(super) fn count(&mut self, deleted_records: i64, count: i64) {
        let bin = DELETED_RECORDS.partition_point(|&boundary| boundary <= deleted_records);
        self.deleted_record_counts[bin] = self.deleted_record_counts[bin].saturating_add(count);
    }

    /// Whether a table of so many files may have it, of which so many have so many deleted rows together.
    pub(super) fn fits(&self, file_count: i64, vectors: i64, deleted_records: i64) -> bool {
        let with_deleted = &self.deleted_record_counts[1..];
        let ends = DELETED_RECORDS[1..].iter().copied().chain([i64::MAX]);
        let bins = DELETED_RECORDS.iter().zip(ends).zip(with_deleted);
        let least: i128 = bins.clone().map(|((&begin, _), &count)| i128::from(begin) * i128::from(count)).sum();
        let most: i128 = bins.map(|((_, end), &count)| i128::from(end - 1) * i128::from(count)).sum();
        let files_with_deleted: i128 = with_deleted.iter().map(|&count| i128::from(count)).sum();
        is_sum(&self.deleted_record_counts, file_count)
            && (least..=most).contains(&deleted_records.into())
            // A vector may delete nothing.
            && (files_with_deleted..=file_count.into()).contains(&vectors.into())
    }
}

/// Whether so many numbers from `least` to `most` can have this sum.
fn may_sum_to(count: i64, least: i64, most: i64, sum: i64) -> bool {
    let [count, least, most] = [count, least, most].map(i128::from);
    (count * least..=count * most).contains(&sum.into())
}

fn is_sum(parts: &[i64], sum: i64) -> bool {
    parts.iter().all(|&part| part >= 0) && parts.iter().map(|&part| i128::from(part)).sum::<i128>() == i128::from(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_those_of_delta_spark() {
        let boundaries = bin_boundaries();
        let kib: Vec<i64> = boundaries[..8].iter().map(|bytes| bytes / KIB).collect();
        assert_eq!(kib, [0, 8, 16, 32, 64, 128, 256, 512]);
        let mib: Vec<i64> = boundaries[8..].iter().map(|bytes| bytes / MIB).collect();
        #[rustfmt::skip]
        assert_eq!(mib, [
            1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 124, 128, 132, 136, 140,
            144, 160, 176, 192, 208, 224, 240, 256, 272, 288, 304, 320, 336, 352, 368, 384, 400, 416, 432, 448, 464, 480,
            496, 512, 528, 544, 560, 576, 640, 704, 768, 832, 896, 960, 1024, 1088, 1152, 1216, 1280, 1344, 1408, 1536,
            1664, 1792, 1920, 2048, 2304, 2560, 2816, 3072, 3328, 3584, 3840, 4096, 8192, 16384, 32768, 65536, 131_072,
            262_144,
        ]);
    }

    #[test]
    fn a_bin_begins_at_its_boundary() {
        let mut sizes = FileSizeHistogram::default();
        for size in [0, 8191, 8192, 256 * GIB, i64::MAX] {
            sizes.count(size, 1);
        }
        assert_eq!(sizes.file_counts[..2], [2, 1]);
        assert_eq!(sizes.total_bytes[..2], [8191, 8192]);
        assert_eq!(sizes.file_counts.last(), Some(&2));
        let mut records = DeletedRecordCountsHistogram::default();
        for deleted in [0, 1, 9, 10, i64::from(i32::MAX) - 1, i64::from(i32::MAX), i64::MAX] {
            records.count(deleted, 1);
        }
        assert_eq!(records.deleted_record_counts, [1, 2, 1, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn what_cannot_be_is_known() {
        let mut sizes = FileSizeHistogram::default();
        sizes.count(5, 2);
        assert!(sizes.fits(2, 10) && !sizes.fits(2, 11) && !sizes.fits(1, 10));
        sizes.count(5, -3);
        assert!(!sizes.fits(-1, -5), "a bin of fewer than no files");
        let other = r#"{"sortedBinBoundaries":[0],"fileCounts":[2],"totalBytes":[10]}"#;
        assert!(!serde_json::from_str::<FileSizeHistogram>(other).unwrap().fits(2, 10));
        let short = FileSizeHistogram { file_counts: vec![0], ..FileSizeHistogram::default() };
        assert!(!short.fits(0, 0));
    }

    #[test]
    fn files_are_in_the_bins_of_their_sizes() {
        let mut sizes = FileSizeHistogram::default();
        for size in [0, 8191, 8192, 16383, 256 * GIB] {
            sizes.count(size, 1);
        }
        let sum = 8191 + 8192 + 16383 + 256 * GIB;
        assert!(sizes.fits(5, sum));
        let last = sizes.file_counts.len() - 1;
        for (bin, files, bytes) in [(90, 1, 300), (1, -1, 0), (2, 1, 0), (last, 0, -300)] {
            // The sums stay.
            let mut moved = sizes.clone();
            moved.file_counts[0] -= files;
            moved.total_bytes[0] -= bytes;
            moved.file_counts[bin] += files;
            moved.total_bytes[bin] += bytes;
            assert!(is_sum(&moved.file_counts, 5) && is_sum(&moved.total_bytes, sum), "{bin}");
            assert!(!moved.fits(5, sum), "{bin} {files} {bytes}");
        }
        let mut deleted = DeletedRecordCountsHistogram::default();
        for records in [0, 0, 1, 9, 10] {
            deleted.count(records, 1);
        }
        assert!(deleted.fits(5, 3, 20) && deleted.fits(5, 5, 12), "other numbers may be in these bins");
        assert!(!deleted.fits(5, 3, 11) && !deleted.fits(5, 3, 118), "too few and too many rows");
        assert!(!deleted.fits(5, 2, 20) && !deleted.fits(5, 6, 20) && !deleted.fits(4, 3, 20));
        assert!(DeletedRecordCountsHistogram::default().fits(0, 0, 0));
    }
}
