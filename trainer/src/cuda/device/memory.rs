//! Memory of a GPU, and views of it for kernels and libraries.
//!
//! Contract: a view is a pointer, a number of values and their type, made from memory that holds at
//! least so many; it borrows that memory, so the borrow checker sees every use that the host queues.
//! All work of a device goes through one stream, in the order in which it is queued, and memory is
//! freed on that stream, so queued work may use memory that the host drops afterwards. Only `upload.rs`
//! writes memory from a second stream; it orders the two by events.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DeviceRepr, ValidAsZeroBits, result,
};
use half::bf16;

use crate::cuda::device::error::{CudaError, ErrorContext};

/// The type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    U8,
    U32,
    I64,
    F32,
    F64,
    Bf16,
}

impl Element {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::Bf16 => 2,
            Self::F32 | Self::U32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }
}

/// A type of values that host and GPU share.
pub(crate) trait Value: DeviceRepr + ValidAsZeroBits + Copy + Default + 'static {
    const ELEMENT: Element;
}

macro_rules! values {
    ($($type:ty => $element:ident),*) => {
        $(impl Value for $type {
            const ELEMENT: Element = Element::$element;
        })*
    };
}

values!(u8 => U8, u32 => U32, i64 => I64, f32 => F32, f64 => F64, bf16 => Bf16);

/// Values that may be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) pointer: u64,
    pub(crate) len: usize,
    pub(crate) element: Element,
    memory: PhantomData<&'a ()>,
}

/// Values that may be read and written.
#[derive(Debug)]
pub(crate) struct ViewMut<'a> {
    pub(crate) pointer: u64,
    pub(crate) len: usize,
    pub(crate) element: Element,
    memory: PhantomData<&'a mut ()>,
}

impl<'a> View<'a> {
    /// The first `len` values.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn head(self, len: usize) -> Self {
        assert!(len <= self.len, "{len} values of {}", self.len);
        Self { len, ..self }
    }

    /// The values from number `first` on.
    ///
    /// # Panics
    /// If there are fewer than `first`.
    pub(crate) fn tail(self, first: usize) -> Self {
        assert!(first <= self.len, "{first} values of {}", self.len);
        Self {
            pointer: self.pointer + (first * self.element.bytes()) as u64,
            len: self.len - first,
            ..self
        }
    }

    /// Part number `number` of `parts` equal ones, one behind the other.
    ///
    /// # Panics
    /// If there is no such part, or they are not equal.
    pub(crate) fn part(self, number: usize, parts: usize) -> Self {
        let (first, len) = (part(self.len, number, parts), self.len / parts);
        self.tail(first).head(len)
    }

    /// The same values for as long as `owner` is borrowed, which keeps their memory.
    pub(super) fn kept_by<O>(self, _owner: &O) -> View<'_> {
        View {
            pointer: self.pointer,
            len: self.len,
            element: self.element,
            memory: PhantomData,
        }
    }

    /// The same values to write: the caller has borrowed their memory for that.
    pub(super) fn writable(self) -> ViewMut<'a> {
        ViewMut {
            pointer: self.pointer,
            len: self.len,
            element: self.element,
            memory: PhantomData,
        }
    }

    /// Values of a tensor's memory.
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn of<T: Value>(memory: &'a CudaSlice<T>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= memory.len());
        let (pointer, _guard) = memory.device_ptr(memory.stream());
        Self {
            pointer: pointer + (range.start * T::ELEMENT.bytes()) as u64,
            len: range.len(),
            element: T::ELEMENT,
            memory: PhantomData,
        }
    }
}

impl<'a> ViewMut<'a> {
    /// The first `len` values.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn head(self, len: usize) -> Self {
        assert!(len <= self.len, "{len} values of {}", self.len);
        Self { len, ..self }
    }

    /// As [`View::tail`].
    ///
    /// # Panics
    /// If there are fewer than `first`.
    pub(crate) fn tail(self, first: usize) -> Self {
        assert!(first <= self.len, "{first} values of {}", self.len);
        Self {
            pointer: self.pointer + (first * self.element.bytes()) as u64,
            len: self.len - first,
            ..self
        }
    }

    /// As [`View::part`].
    pub(crate) fn part(self, number: usize, parts: usize) -> Self {
        let (first, len) = (part(self.len, number, parts), self.len / parts);
        self.tail(first).head(len)
    }

    /// The values of a tensor's memory.
    pub(crate) fn of<T: Value>(memory: &'a mut CudaSlice<T>) -> Self {
        View::of(memory, 0..memory.len()).writable()
    }

    /// The same values to read.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            pointer: self.pointer,
            len: self.len,
            element: self.element,
            memory: PhantomData,
        }
    }

    /// The same values, borrowed for a shorter time.
    pub(crate) fn reborrow(&mut self) -> ViewMut<'_> {
        self.view().writable()
    }
}

/// The first value of part number `number` of `parts` equal ones of `len` values.
fn part(len: usize, number: usize, parts: usize) -> usize {
    assert!(number < parts && len.is_multiple_of(parts), "{len} values");
    len / parts * number
}

/// Makes a stream's GPU the one that this thread's calls of libraries use.
pub(crate) fn make_current(stream: &CudaStream) -> Result<(), CudaError> {
    let bound = stream.context().bind_to_thread();
    bound.context("use the GPU on this thread")
}

/// Copies values into memory of the same type and GPU, in the stream's order.
pub(crate) fn copy(
    stream: &CudaStream,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    assert_eq!((input.element, input.len), (output.element, output.len));
    let bytes = input.len * input.element.bytes();
    make_current(stream)?;
    // SAFETY: both views are of memory of this GPU with as many bytes, as checked above; a view
    // that may be written overlaps no other.
    unsafe { result::memcpy_dtod_async(output.pointer, input.pointer, bytes, stream.cu_stream()) }
        .context("copy values")
}

/// Values in the memory of a GPU.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: CudaSlice<u8>,
    len: usize,
    element: Element,
}

impl Buffer {
    /// Memory for `len` values, all 0.
    pub(crate) fn new(
        stream: &Arc<CudaStream>,
        element: Element,
        len: usize,
    ) -> Result<Self, CudaError> {
        // Not empty, so that there is a pointer.
        let bytes = (len * element.bytes()).max(1);
        let memory = stream.alloc_zeros(bytes).context("allocate memory")?;
        Ok(Self {
            memory,
            len,
            element,
        })
    }

    /// A copy of values of the host.
    pub(crate) fn from_host<T: Value>(
        stream: &Arc<CudaStream>,
        values: &[T],
    ) -> Result<Self, CudaError> {
        let mut buffer = Self::new(stream, T::ELEMENT, values.len())?;
        buffer.write(values)?;
        Ok(buffer)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of GPU memory.
    pub(crate) fn bytes(&self) -> usize {
        self.len * self.element.bytes()
    }

    pub(crate) fn view(&self) -> View<'_> {
        let (pointer, _guard) = self.memory.device_ptr(self.memory.stream());
        View {
            pointer,
            len: self.len,
            element: self.element,
            memory: PhantomData,
        }
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        self.view().writable()
    }

    /// Replaces the first values with those of the host, in the stream's order. The copy is done when
    /// this returns.
    ///
    /// # Panics
    /// If they are of another type or do not fit.
    pub(crate) fn write<T: Value>(&mut self, values: &[T]) -> Result<(), CudaError> {
        assert!(self.element == T::ELEMENT && values.len() <= self.len);
        if values.is_empty() {
            return Ok(());
        }
        let stream = Arc::clone(self.memory.stream());
        // SAFETY: the memory has room for `values.len()` values of this type, as checked above.
        let target = unsafe { self.memory.transmute_mut::<T>(values.len()) };
        let mut target = target.expect("checked above");
        stream
            .memcpy_htod(values, &mut target)
            .context("copy to the GPU")?;
        // The driver stages pageable memory; waiting makes sure that it has read all of it.
        stream.synchronize().context("copy to the GPU")
    }

    /// The first `len` values, once all work queued so far is done.
    ///
    /// # Panics
    /// If they are of another type or fewer.
    pub(crate) fn read<T: Value>(&self, len: usize) -> Result<Vec<T>, CudaError> {
        assert!(self.element == T::ELEMENT && len <= self.len);
        let mut values = vec![T::default(); len];
        if values.is_empty() {
            return Ok(values);
        }
        let stream = self.memory.stream();
        // SAFETY: the memory holds `values.len()` values of this type, as checked above.
        let source = unsafe { self.memory.transmute::<T>(values.len()) };
        let source = source.expect("checked above");
        stream
            .memcpy_dtoh(&source, &mut values)
            .context("copy from the GPU")?;
        stream.synchronize().context("copy from the GPU")?;
        Ok(values)
    }

    /// Fills the memory with 0, in the stream's order.
    pub(crate) fn clear(&mut self) -> Result<(), CudaError> {
        let stream = Arc::clone(self.memory.stream());
        stream
            .memset_zeros(&mut self.memory)
            .context("clear memory")
    }

    /// The memory itself, for copies on another stream.
    pub(crate) fn memory_mut(&mut self) -> &mut CudaSlice<u8> {
        &mut self.memory
    }
}
