//! A GPU's membership in NCCL's communicator of all GPUs of a run.
//!
//! Contract: the communicator belongs to this device and is used on the device's thread only, with the
//! device's context current, until it is aborted, which happens once. It is a non-blocking one: no call
//! except the abort waits for another GPU, so the others, which poll, notice a GPU that fails. Sums are
//! formed in place, in memory of this device that is named by views whose types are checked. They have
//! a stream of their own beside the device's: [`begin_sum`](Link::begin_sum) makes it wait for what the
//! device has queued before, and [`end_sum`](Link::end_sum) makes the device wait for the sums; nobody
//! touches the values between the two calls, and [`abort`](Link::abort) waits for that stream, so that
//! memory is not freed while NCCL uses it.

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

use crate::cuda::device::error::{CudaError, ErrorContext};
use crate::cuda::device::memory::{Element, ViewMut, make_current};
use crate::cuda::device::threads::FailureFlag;

/// How long the thread polls without sleeping.
const EAGER: Duration = Duration::from_micros(200);

/// How long it sleeps between polls after that: little compared with a step.
const NAP: Duration = Duration::from_micros(50);

/// The magic number of an `ncclConfig_t`, and its value for a default (`nccl.h`).
const CONFIG_MAGIC: u32 = 0xcafe_beef;
const UNDEFINED: i32 = i32::MIN;

/// The configuration of NCCL 2.14, the first version with non-blocking calls: its version number, as
/// `NCCL_VERSION` counts, and its bytes. Later libraries accept it and use defaults for the rest.
const CONFIG_VERSION: u32 = 21_400;
const CONFIG_BYTES: usize = 24;

/// The connection of a GPU to the others. Errors are those of the driver or of NCCL, or that another GPU
/// has failed.
pub(crate) struct Link {
    /// Null after it was aborted.
    communicator: Cell<sys::ncclComm_t>,
    failure: Arc<FailureFlag>,
    /// The stream of the sums.
    sums: Arc<CudaStream>,
    /// The values to sum are ready, on the device's stream.
    ready: CudaEvent,
    /// The sums are ready, on their own stream.
    summed: CudaEvent,
    /// Whether NCCL is still queuing sums on their stream.
    queuing: Cell<bool>,
    /// For waiting for the device's stream.
    reached: CudaEvent,
}

/// What sums are for, in errors.
const SUMS: &str = "sum the gradients of all GPUs";

impl Link {
    /// Connects the GPU of `stream` as number `rank` of `count`; every GPU must do so.
    pub(crate) fn connect(
        stream: &Arc<CudaStream>,
        failure: Arc<FailureFlag>,
        id: Id,
        rank: usize,
        count: usize,
    ) -> Result<Self, CudaError> {
        let context = stream.context();
        let event = || context.new_event(None).context("make an event");
        make_current(stream)?;
        let link = Self {
            communicator: Cell::new(ptr::null_mut()),
            failure,
            sums: context.new_stream().context("open a stream")?,
            ready: event()?,
            summed: event()?,
            queuing: Cell::new(false),
            reached: event()?,
        };
        let (mut communicator, mut config) = (ptr::null_mut(), config());
        let id = sys::ncclUniqueId {
            internal: *id.internal(),
        };
        // SAFETY: the pointers are to variables of the types that are read and written, and the device's
        // context is current.
        let begun = unsafe {
            result::comm_init_rank_config(
                &raw mut communicator,
                count as i32,
                id,
                rank as i32,
                &raw mut config,
            )
        };
        link.communicator.set(communicator);
        link.finish(begun, "connect the GPUs")?;
        Ok(link)
    }

    /// Begins to sum values over all GPUs, in place, once what `stream` has queued so far is done. Every
    /// GPU must pass as many values, in the same order. Nobody may touch them before
    /// [`end_sum`](Self::end_sum).
    pub(crate) fn begin_sum(
        &self,
        stream: &CudaStream,
        values: Vec<ViewMut<'_>>,
    ) -> Result<(), CudaError> {
        self.finish_queuing()?;
        self.check_peers()?;
        self.ready.record(stream).context("order two streams")?;
        self.sums.wait(&self.ready).context("order two streams")?;
        let communicator = self.communicator.get();
        result::group_start().context(SUMS)?;
        let mut queued = Ok(NcclStatus::Success);
        for values in &values {
            assert_eq!(values.element, Element::F32, "gradients are summed in f32");
            // SAFETY: the view is of as many values on this GPU, whose context the calls above have
            // made current; the communicator is open, and the stream is of this GPU.
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
        // A group that has begun is ended in any case.
        let ended = result::group_end();
        let status = queued.and(ended).context(SUMS)?;
        self.queuing.set(status != NcclStatus::Success);
        Ok(())
    }

    /// Makes `stream` wait for the sums that have begun.
    pub(crate) fn end_sum(&self, stream: &CudaStream) -> Result<(), CudaError> {
        self.finish_queuing()?;
        self.summed
            .record(&self.sums)
            .context("order two streams")?;
        stream.wait(&self.summed).context("order two streams")
    }

    /// Waits until NCCL has queued all sums that have begun.
    fn finish_queuing(&self) -> Result<(), CudaError> {
        if self.queuing.get() {
            self.finish(Ok(NcclStatus::InProgress), SUMS)?;
            self.queuing.set(false);
        }
        Ok(())
    }

    /// Waits until a call that NCCL continues by itself is done.
    fn finish(
        &self,
        begun: Result<NcclStatus, NcclError>,
        action: &'static str,
    ) -> Result<(), CudaError> {
        if begun.context(action)? == NcclStatus::Success {
            return Ok(());
        }
        self.poll(|| Ok(self.status(action)? == NcclStatus::Success))
    }

    /// Whether NCCL is still at work, or its error.
    fn status(&self, action: &'static str) -> Result<NcclStatus, CudaError> {
        let mut status = sys::ncclResult_t::ncclSuccess;
        // SAFETY: the communicator is open, and the pointer is to a variable of the type written.
        let asked = unsafe { sys::ncclCommGetAsyncError(self.communicator.get(), &raw mut status) };
        asked.result().context(action)?;
        status.result().context(action)
    }

    /// Waits for all that is queued on the device's stream.
    pub(crate) fn synchronize(&self, stream: &CudaStream) -> Result<(), CudaError> {
        self.reached.record(stream).context("wait for the GPU")?;
        self.wait_for(&self.reached)
    }

    /// Waits for an event of this device.
    pub(crate) fn wait_for(&self, event: &CudaEvent) -> Result<(), CudaError> {
        self.poll(|| {
            self.status("check the other GPUs")?;
            event.try_is_complete().context("wait for the GPU")
        })
    }

    /// Checks that no other GPU has failed.
    fn check_peers(&self) -> Result<(), CudaError> {
        if self.failure.is_set() {
            return Err(CudaError::Stopped);
        }
        Ok(())
    }

    /// Polls until the answer is yes or another GPU fails.
    fn poll(&self, done: impl Fn() -> Result<bool, CudaError>) -> Result<(), CudaError> {
        let clock = Instant::now();
        while !done()? {
            self.check_peers()?;
            if clock.elapsed() < EAGER {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
        Ok(())
    }

    /// Leaves the communicator. As all GPUs leave, queued sums end whether or not the others take part.
    pub(crate) fn abort(&self) {
        let communicator = self.communicator.replace(ptr::null_mut());
        if !communicator.is_null() {
            // SAFETY: the communicator was open, and nobody uses it from here on. An error leaves
            // nothing to do.
            let _ = unsafe { result::comm_abort(communicator) };
            let _ = self.sums.synchronize();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Non-blocking calls, and defaults for the rest.
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
