//! A card's part in NCCL's communicator of all cards.
//!
//! Contract: the communicator is this card's alone and is used on the card's thread only, with the card's
//! context current, until it is aborted, which happens once. It is a non-blocking one: no call but the
//! abort waits for another card, so that a card that fails is noticed by the others, which poll. What is
//! summed up in place is memory of this card, named by views whose types are checked. Sums have a stream of
//! their own beside the card's: [`begin`](Link::begin) lets it wait for what the card has queued before, and
//! [`end`](Link::end) lets the card wait for the sums; between the two nobody touches what is summed up, and
//! [`leave`](Link::leave) waits for that stream, so that memory is not freed under it.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use candle_core::cuda_backend::cudarc;
use cudarc::driver::{CudaEvent, CudaStream};
use cudarc::nccl::result::{self, NcclError, NcclStatus};
use cudarc::nccl::{Id, sys};

use crate::cuda::device::crew::Alarm;
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::memory::{Element, ViewMut};

/// How long the thread looks again and again before it sleeps between two looks.
const EAGER: Duration = Duration::from_micros(200);

/// How long it sleeps then: little beside a step.
const NAP: Duration = Duration::from_micros(50);

/// The mark of an `ncclConfig_t`, and its value for what is not chosen (`nccl.h`).
const CONFIG_MAGIC: u32 = 0xcafe_beef;
const UNDEFINED: i32 = i32::MIN;

/// The configuration as NCCL 2.14 had it, the first that does not block: its version, as
/// `NCCL_VERSION` counts, and its bytes. Every later library takes it, and gives the rest its defaults.
const CONFIG_VERSION: u32 = 21_400;
const CONFIG_BYTES: usize = 24;

/// What joins a card to the others.
pub(crate) struct Link {
    /// Null after it was aborted.
    communicator: Cell<sys::ncclComm_t>,
    alarm: Arc<Alarm>,
    /// The stream of the sums.
    sums: Arc<CudaStream>,
    /// What is summed up is there, on the card's stream.
    ready: CudaEvent,
    /// The sums are there, on their own.
    summed: CudaEvent,
    /// Whether NCCL is still putting sums on their stream.
    begun: Cell<bool>,
    /// For waiting for the card's stream.
    reached: CudaEvent,
}

/// What sums are for, in errors.
const SUMS: &str = "sum up the gradients of the cards";

impl Link {
    /// Joins the card of `stream` as number `rank` of `cards`; all must do so.
    ///
    /// # Errors
    /// What NCCL reports, or that another card has failed.
    pub(crate) fn join(
        stream: &Arc<CudaStream>,
        alarm: Arc<Alarm>,
        id: Id,
        (rank, cards): (usize, usize),
    ) -> Result<Self, CudaError> {
        let context = stream.context();
        let event = || context.new_event(None).doing("make an event");
        context
            .bind_to_thread()
            .doing("use the card on this thread")?;
        let link = Self {
            communicator: Cell::new(ptr::null_mut()),
            alarm,
            sums: context.new_stream().doing("open a stream")?,
            ready: event()?,
            summed: event()?,
            begun: Cell::new(false),
            reached: event()?,
        };
        let (mut communicator, mut config) = (ptr::null_mut(), config());
        let id = sys::ncclUniqueId {
            internal: *id.internal(),
        };
        // SAFETY: the pointers are to variables of the types that are read and written, and the card's
        // context is current.
        let begun = unsafe {
            result::comm_init_rank_config(
                &raw mut communicator,
                cards as i32,
                id,
                rank as i32,
                &raw mut config,
            )
        };
        link.communicator.set(communicator);
        link.finish(begun, "join the cards")?;
        Ok(link)
    }

    /// Begins to sum values up over the cards, in place, once what `stream` has queued so far is done.
    /// All cards must give as many, in the same order. They are not to be touched before
    /// [`end`](Self::end).
    ///
    /// # Errors
    /// What NCCL reports, or that another card has failed.
    pub(crate) fn begin(
        &self,
        stream: &CudaStream,
        values: Vec<ViewMut<'_>>,
    ) -> Result<(), CudaError> {
        self.put()?;
        self.check()?;
        self.ready.record(stream).doing("order two streams")?;
        self.sums.wait(&self.ready).doing("order two streams")?;
        let communicator = self.communicator.get();
        result::group_start().doing(SUMS)?;
        let mut queued = Ok(NcclStatus::Success);
        for values in &values {
            assert_eq!(
                values.element,
                Element::F32,
                "gradients are summed up in f32"
            );
            // SAFETY: the view is of as many values on this card, whose context the calls above have
            // made current; the communicator is open, and the stream is of this card.
            queued = unsafe {
                result::all_reduce(
                    values.pointer as *const c_void,
                    values.pointer as *mut c_void,
                    values.len,
                    sys::ncclDataType_t::ncclFloat32,
                    sys::ncclRedOp_t::ncclSum,
                    communicator,
                    self.sums.cu_stream().cast(),
                )
            };
            if queued.is_err() {
                break;
            }
        }
        // A group that was begun is ended whatever happens.
        let ended = result::group_end();
        let status = queued.and(ended).doing(SUMS)?;
        self.begun.set(status != NcclStatus::Success);
        Ok(())
    }

    /// Lets `stream` wait for the sums that were begun.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(crate) fn end(&self, stream: &CudaStream) -> Result<(), CudaError> {
        self.put()?;
        self.summed.record(&self.sums).doing("order two streams")?;
        stream.wait(&self.summed).doing("order two streams")
    }

    /// Waits until NCCL has put all sums that were begun on their stream.
    fn put(&self) -> Result<(), CudaError> {
        if self.begun.get() {
            self.finish(Ok(NcclStatus::InProgress), SUMS)?;
            self.begun.set(false);
        }
        Ok(())
    }

    /// Waits until a call that NCCL goes on with by itself is done.
    fn finish(
        &self,
        begun: Result<NcclStatus, NcclError>,
        action: &'static str,
    ) -> Result<(), CudaError> {
        if begun.doing(action)? == NcclStatus::Success {
            return Ok(());
        }
        self.poll(|| Ok(self.state(action)? == NcclStatus::Success))
    }

    /// Whether NCCL is still at work, or what went wrong with it.
    fn state(&self, action: &'static str) -> Result<NcclStatus, CudaError> {
        let mut state = sys::ncclResult_t::ncclSuccess;
        // SAFETY: the communicator is open, and the pointer is to a variable of the type written.
        let asked = unsafe { sys::ncclCommGetAsyncError(self.communicator.get(), &raw mut state) };
        asked.result().doing(action)?;
        state.result().doing(action)
    }

    /// Waits for all that is queued on the card's stream.
    ///
    /// # Errors
    /// Another card has failed, or the driver or NCCL reports something.
    pub(crate) fn settle(&self, stream: &CudaStream) -> Result<(), CudaError> {
        self.reached.record(stream).doing("wait for the card")?;
        self.wait_for(&self.reached)
    }

    /// Waits for an event of this card.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(crate) fn wait_for(&self, event: &CudaEvent) -> Result<(), CudaError> {
        self.poll(|| {
            self.state("hear of the other cards")?;
            event.try_is_complete().doing("wait for the card")
        })
    }

    /// Whether the others are still there.
    fn check(&self) -> Result<(), CudaError> {
        if self.alarm.rings() {
            return Err(CudaError::Stopped);
        }
        Ok(())
    }

    /// Asks until the answer is yes, or until another card fails.
    fn poll(&self, done: impl Fn() -> Result<bool, CudaError>) -> Result<(), CudaError> {
        let clock = Instant::now();
        while !done()? {
            self.check()?;
            if clock.elapsed() < EAGER {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
        Ok(())
    }

    /// Leaves the others. What is queued ends, whether or not they take part, as all leave.
    pub(crate) fn leave(&self) {
        let communicator = self.communicator.replace(ptr::null_mut());
        if !communicator.is_null() {
            // SAFETY: the communicator was open, and nobody uses it any more. An error leaves nothing
            // to do.
            let _ = unsafe { result::comm_abort(communicator) };
            let _ = self.sums.synchronize();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Calls that do not block, and defaults for the rest.
fn config() -> sys::ncclConfig_t {
    sys::ncclConfig_t {
        size: CONFIG_BYTES,
        magic: CONFIG_MAGIC,
        version: CONFIG_VERSION,
        blocking: 0,
        cgaClusterSize: UNDEFINED,
        minCTAs: UNDEFINED,
        maxCTAs: UNDEFINED,
        netName: ptr::null(),
        splitShare: UNDEFINED,
        trafficClass: UNDEFINED,
        commName: ptr::null(),
        collnetEnable: UNDEFINED,
        CTAPolicy: UNDEFINED,
        shrinkShare: UNDEFINED,
        nvlsCTAs: UNDEFINED,
        nChannelsPerNetPeer: UNDEFINED,
        nvlinkCentricSched: UNDEFINED,
        graphUsageMode: UNDEFINED,
        numRmaCtx: UNDEFINED,
        maxP2pPeers: UNDEFINED,
    }
}
