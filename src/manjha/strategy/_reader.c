/* One read of a line at the speed of C: `reader.py` in this folder is the same in Python and says what it means.
 *
 * A strategy reads two or more numbers a bar, a million bars a run; a Python call for each was half of a run's time.
 * Built by hatch_build.py against the stable ABI of Python 3.11; where it cannot be built, reader.py serves.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>

typedef struct {
    PyObject_HEAD
    PyObject *cursor;   /* a list of one int, shared by the whole run */
    Py_buffer data;     /* doubles, one a row */
    Py_buffer rows;     /* int64, one a timeline position; obj NULL: row is position */
    Py_buffer basis;    /* doubles, one a row; obj NULL: nothing to scale */
} Reader;

static void
release(Reader *self)
{
    Py_CLEAR(self->cursor);
    PyBuffer_Release(&self->data);
    PyBuffer_Release(&self->rows);
    PyBuffer_Release(&self->basis);
}

static int
take(PyObject *from, Py_buffer *into, char kind, const char *name)
{
    if (from == Py_None) return 0;
    if (PyObject_GetBuffer(from, into, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) < 0) return -1;
    const char *format = into->format ? into->format : "B";
    int fits = into->ndim == 1 && into->itemsize == 8 && format[1] == '\0';
    if (fits && (kind == 'd' ? format[0] == 'd' : (format[0] == 'l' || format[0] == 'q'))) return 0;
    PyBuffer_Release(into);
    PyErr_Format(PyExc_TypeError, "%s: expected a contiguous array of %s", name, kind == 'd' ? "float64" : "int64");
    return -1;
}

static int
reader_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", "cursor", "rows", "basis", NULL};
    PyObject *data, *cursor, *rows = Py_None, *basis = Py_None;
    Reader *self = (Reader *)object;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO!|OO", names, &data, &PyList_Type, &cursor, &rows, &basis))
        return -1;
    release(self);
    if (take(data, &self->data, 'd', "data") < 0 || take(rows, &self->rows, 'l', "rows") < 0
        || take(basis, &self->basis, 'd', "basis") < 0) {
        release(self);
        return -1;
    }
    Py_INCREF(cursor);
    self->cursor = cursor;
    return 0;
}

static void
reader_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    release((Reader *)object);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);
    give_back(object);
    Py_DECREF(type);
}

/* The row that closed last, -1 before the first, -2 with an error set. */
static Py_ssize_t
last_row(Reader *self)
{
    PyObject *held = self->cursor ? PyList_GetItem(self->cursor, 0) : NULL;
    if (held == NULL) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "a line without data");
        return -2;
    }
    Py_ssize_t position = PyLong_AsSsize_t(held);
    if (position == -1 && PyErr_Occurred()) return -2;
    if (position < 0) return -1;
    if (self->rows.obj == NULL) return position;
    if (position >= self->rows.len / 8) {
        PyErr_SetString(PyExc_IndexError, "the cursor is beyond the timeline");
        return -2;
    }
    return (Py_ssize_t)((const int64_t *)self->rows.buf)[position];
}

static PyObject *
reader_last(PyObject *object, PyObject *unused)
{
    (void)unused;
    Py_ssize_t row = last_row((Reader *)object);
    return row == -2 ? NULL : PyLong_FromSsize_t(row);
}

static PyObject *minus_one; /* the one object that -1 is: nearly every read is line[-1] */

static PyObject *
reader_subscript(PyObject *object, PyObject *key)
{
    Reader *self = (Reader *)object;
    Py_ssize_t ago = key == minus_one ? -1 : PyLong_AsSsize_t(key);
    if (ago == -1 && key != minus_one && PyErr_Occurred()) return NULL;
    if (ago >= 0) return PyObject_CallMethod(object, "refuse", "n", ago);
    Py_ssize_t last = last_row(self);
    if (last == -2) return NULL;
    Py_ssize_t at = last + 1 + ago;
    if (at < 0) return PyFloat_FromDouble(NAN);
    if (at >= self->data.len / 8 || (self->basis.obj != NULL && last >= self->basis.len / 8)) {
        PyErr_SetString(PyExc_IndexError, "the cursor is beyond the line");
        return NULL;
    }
    double value = ((const double *)self->data.buf)[at];
    if (self->basis.obj != NULL) value *= ((const double *)self->basis.buf)[last];
    return PyFloat_FromDouble(value);
}

static PyMethodDef methods[] = {
    {"last", reader_last, METH_NOARGS, "Return the row that closed last, -1 before the first."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"Reads a column backwards from the cursor; see reader.py."},
    {Py_tp_init, (void *)reader_init},
    {Py_tp_dealloc, (void *)reader_dealloc},
    {Py_mp_subscript, (void *)reader_subscript},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "manjha.strategy._reader.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "manjha.strategy._reader",
    .m_doc = "Reads of lines, compiled.",
    .m_size = 0,
};

PyMODINIT_FUNC
PyInit__reader(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL) return NULL;
    if (minus_one == NULL) minus_one = PyLong_FromLong(-1);
    PyObject *type = PyType_FromSpec(&spec);
    if (type == NULL || PyModule_AddObjectRef(made, "Reader", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(made);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
