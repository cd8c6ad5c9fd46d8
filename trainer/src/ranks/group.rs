//! All ranks of a run, as one of them sees them.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::error::RankError;
use super::link::Link;
use super::sum::{add_in_order, part, stretches};

/// Values that are summed at once: few messages, and little memory beside the gradients.
const BLOCK: usize = 1 << 22;

/// Bytes of a long message that are sent at once to each rank.
const PIECE: usize = 1 << 24;

/// All ranks of a run, as one of them sees them; its clones are the same. What they are asked for together, all must
/// ask for, in the same order.
#[derive(Clone)]
pub struct Ranks(Option<Rc<RefCell<Group>>>);

struct Group {
    link: Box<dyn Link>,
    timeout: Duration,
    waited: Duration,
    /// A block of values, and each rank's share of those that are this rank's to sum.
    block: Vec<f32>,
    shares: Vec<Vec<f32>>,
}

impl Ranks {
    /// This process alone.
    #[must_use]
    pub const fn single() -> Self {
        Self(None)
    }

    /// The ranks that `link` connects. One that sends nothing for `timeout` while it is waited for is an error.
    #[must_use]
    pub fn new(link: Box<dyn Link>, timeout: Duration) -> Self {
        if link.size() == 1 {
            return Self::single();
        }
        Self(Some(Rc::new(RefCell::new(Group {
            shares: vec![Vec::new(); link.size()],
            link,
            timeout,
            waited: Duration::ZERO,
            block: Vec::new(),
        }))))
    }

    fn of<T>(&self, alone: T, several: impl FnOnce(&mut Group) -> T) -> T {
        match &self.0 {
            Some(group) => several(&mut group.borrow_mut()),
            None => alone,
        }
    }

    /// This process's rank, counted from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.of(0, |group| group.link.rank())
    }

    /// The number of ranks.
    #[must_use]
    pub fn size(&self) -> usize {
        self.of(1, |group| group.link.size())
    }

    /// Whether there are no others.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this is rank 0, which writes and prints.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// What messages call a rank.
    #[must_use]
    pub fn name(&self, rank: usize) -> String {
        self.of(String::new(), |group| group.link.name(rank))
    }

    /// This rank's part of so many rows.
    #[must_use]
    pub fn part(&self, rows: usize) -> Range<usize> {
        part(self.rank(), self.size(), rows)
    }

    /// The last rank's part of so many rows: no other has fewer.
    #[must_use]
    pub fn last_part(&self, rows: usize) -> Range<usize> {
        part(self.size() - 1, self.size(), rows)
    }

    /// How long this rank has been busy with messages so far, its waiting for other ranks included.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.of(Duration::ZERO, |group| group.waited)
    }

    /// Every rank's `own`, by rank.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn gather<const N: usize>(&self, own: [u8; N]) -> Result<Vec<[u8; N]>, RankError> {
        self.of(Ok(vec![own]), |group| group.gather(own))
    }

    /// Every rank's `own`, of any length, by rank.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn gather_bytes(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, RankError> {
        self.of(Ok(vec![own.to_vec()]), |group| group.gather_bytes(own))
    }

    /// Whether any rank has `flag` set.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn any(&self, flag: bool) -> Result<bool, RankError> {
        Ok(self.gather([u8::from(flag)])?.contains(&[1]))
    }

    /// Rank 0's bytes, which it alone gives.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn from_first(&self, bytes: Vec<u8>) -> Result<Vec<u8>, RankError> {
        match &self.0 {
            Some(group) => group.borrow_mut().send_from_first(bytes),
            None => Ok(bytes),
        }
    }

    /// Replaces the values of every vector by their sums over the ranks, which are the same bits on all of them and
    /// for as many ranks every time: each value is added up in f64, from rank 0 on, and rounded once.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn sum(&self, vectors: &mut [Vec<f32>]) -> Result<(), RankError> {
        self.of(Ok(()), |group| group.sum(vectors))
    }

    /// Replaces whole numbers by their sums over the ranks.
    ///
    /// # Errors
    /// A rank that does not answer, or has ended.
    pub fn sum_whole(&self, numbers: &mut [u64]) -> Result<(), RankError> {
        if self.is_alone() {
            return Ok(());
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let all = self.gather_bytes(&bytes)?;
        for (number, sum) in numbers.iter_mut().enumerate() {
            let of_rank = |bytes: &Vec<u8>| bytes.as_chunks().0.get(number).copied();
            let values = all.iter().filter_map(of_rank).map(u64::from_le_bytes);
            *sum = values.sum();
        }
        Ok(())
    }

    /// Tells all other ranks that this one ends, and why; with MPI this ends the process.
    pub fn end(&self, why: &str) {
        self.of((), |group| group.link.end(why));
    }
}

impl Group {
    fn exchange(
        &mut self,
        outgoing: &[&[u8]],
        incoming: &mut [&mut [u8]],
    ) -> Result<(), RankError> {
        let clock = Instant::now();
        let exchanged = self.link.exchange(outgoing, incoming, self.timeout);
        self.waited += clock.elapsed();
        exchanged
    }

    fn gather<const N: usize>(&mut self, own: [u8; N]) -> Result<Vec<[u8; N]>, RankError> {
        let mut all = vec![own; self.link.size()];
        let mut incoming: Vec<&mut [u8]> = all.iter_mut().map(<[u8; N]>::as_mut_slice).collect();
        self.exchange(&vec![&own[..]; incoming.len()], &mut incoming)?;
        Ok(all)
    }

    fn gather_bytes(&mut self, own: &[u8]) -> Result<Vec<Vec<u8>>, RankError> {
        let lens = self.gather((own.len() as u64).to_le_bytes())?;
        let lens: Vec<usize> = lens
            .iter()
            .map(|&n| u64::from_le_bytes(n) as usize)
            .collect();
        let mut all: Vec<Vec<u8>> = lens.iter().map(|&len| vec![0; len]).collect();
        let rounds = lens.iter().max().map_or(0, |most| most.div_ceil(PIECE));
        for round in 0..rounds {
            let piece = |len: usize| (round * PIECE).min(len)..((round + 1) * PIECE).min(len);
            let incoming = all.iter_mut().zip(&lens);
            let mut incoming: Vec<&mut [u8]> = incoming
                .map(|(bytes, &len)| &mut bytes[piece(len)])
                .collect();
            let outgoing = vec![&own[piece(own.len())]; lens.len()];
            self.exchange(&outgoing, &mut incoming)?;
        }
        all[self.link.rank()].copy_from_slice(own);
        Ok(all)
    }

    fn send_from_first(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, RankError> {
        let own: &[u8] = if self.link.rank() == 0 { &bytes } else { &[] };
        Ok(self.gather_bytes(own)?.swap_remove(0))
    }

    fn sum(&mut self, vectors: &mut [Vec<f32>]) -> Result<(), RankError> {
        let total: usize = vectors.iter().map(Vec::len).sum();
        let mut first = 0;
        while first < total {
            let end = (first + BLOCK).min(total);
            let mut block = std::mem::take(&mut self.block);
            block.resize(end - first, 0.0);
            stretches(vectors, first..end, |at, values| {
                block[at].copy_from_slice(values);
            });
            self.sum_block(&mut block)?;
            stretches(vectors, first..end, |at, values| {
                values.copy_from_slice(&block[at]);
            });
            self.block = block;
            first = end;
        }
        Ok(())
    }

    /// Each rank sums its part of the block, and gives it to the others.
    fn sum_block(&mut self, block: &mut [f32]) -> Result<(), RankError> {
        let (rank, size) = (self.link.rank(), self.link.size());
        let mut shares = std::mem::take(&mut self.shares);
        let own = part(rank, size, block.len());
        for share in &mut shares {
            share.resize(own.len(), 0.0);
        }
        let outgoing: Vec<&[u8]> = (0..size)
            .map(|to| bytemuck::cast_slice(&block[part(to, size, block.len())]))
            .collect();
        let incoming = shares.iter_mut();
        let mut incoming: Vec<&mut [u8]> = incoming
            .map(|share| bytemuck::cast_slice_mut(share))
            .collect();
        self.exchange(&outgoing, &mut incoming)?;
        add_in_order(&mut block[own.clone()], &shares, rank);

        let sums = block[own].to_vec();
        let len = block.len();
        let mut rest = block;
        let mut incoming: Vec<&mut [u8]> = Vec::with_capacity(size);
        for from in 0..size {
            let (piece, after) = rest.split_at_mut(part(from, size, len).len());
            incoming.push(bytemuck::cast_slice_mut(piece));
            rest = after;
        }
        self.exchange(&vec![bytemuck::cast_slice(&sums); size], &mut incoming)?;
        self.shares = shares;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
