/* Lines and the cursor that they end at, at the speed of C: `reader.py` in this folder is the same in Python and says
 * what it means.
 *
 * A strategy reads two or more numbers a bar, a million bars a run; a Python call for each was half of a run's time.
 * Built by hatch_build.py against the stable ABI of Python 3.11; where it cannot be built, reader.py serves.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>
#include <stddef.h>
#include <structmember.h>

static PyObject *cursor_type, *walk_type, *minus_one; /* minus_one: what -1 is; nearly every read is line[-1] */

/* ---- the cursor */

typedef struct {
    PyObject_HEAD
    Py_ssize_t at; /* the position that closed last, -1 before the first */
} Cursor;

typedef struct {
    PyObject_HEAD
    Cursor *cursor;
    PyObject *asked; /* a list: the walk ends when it has something */
    Py_ssize_t next, last;
} Walk;

static int
cursor_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"at", NULL};
    ((Cursor *)object)->at = -1;
    return PyArg_ParseTupleAndKeywords(args, keywords, "|n", names, &((Cursor *)object)->at) ? 0 : -1;
}

static PyObject *
cursor_walk(PyObject *object, PyObject *args)
{
    Py_ssize_t first, last;
    PyObject *asked;
    if (!PyArg_ParseTuple(args, "nnO!", &first, &last, &PyList_Type, &asked)) return NULL;
    Walk *walk = PyObject_New(Walk, (PyTypeObject *)walk_type);
    if (walk == NULL) return NULL;
    Py_INCREF(object);
    Py_INCREF(asked);
    walk->cursor = (Cursor *)object;
    walk->asked = asked;
    walk->next = first;
    walk->last = last;
    return (PyObject *)walk;
}

static PyObject *
walk_next(PyObject *object)
{
    Walk *walk = (Walk *)object;
    if (walk->next >= walk->last || PyList_Size(walk->asked) != 0) return NULL;
    walk->cursor->at = walk->next++;
    Py_RETURN_NONE;
}

static PyObject *
itself(PyObject *object)
{
    Py_INCREF(object);
    return object;
}

static void
give_back(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc done = (freefunc)PyType_GetSlot(type, Py_tp_free);
    done(object);
    Py_DECREF(type);
}

static void
walk_dealloc(PyObject *object)
{
    Py_DECREF(((Walk *)object)->cursor);
    Py_DECREF(((Walk *)object)->asked);
    give_back(object);
}

static PyMemberDef cursor_members[] = {
    {"at", T_PYSSIZET, offsetof(Cursor, at), 0, "The position that closed last, -1 before the first."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef cursor_methods[] = {
    {"walk", cursor_walk, METH_VARARGS, "Move over [first, last) until something is asked for."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cursor_slots[] = {
    {Py_tp_doc, (void *)"Where a run stands; see reader.py."},
    {Py_tp_init, (void *)cursor_init},
    {Py_tp_dealloc, (void *)give_back},
    {Py_tp_members, cursor_members},
    {Py_tp_methods, cursor_methods},
    {0, NULL},
};

static PyType_Slot walk_slots[] = {
    {Py_tp_doc, (void *)"Moves the cursor from bar to bar."},
    {Py_tp_dealloc, (void *)walk_dealloc},
    {Py_tp_iter, (void *)itself},
    {Py_tp_iternext, (void *)walk_next},
    {0, NULL},
};

static PyType_Spec cursor_spec = {
    .name = "manjha.strategy._reader.Cursor",
    .basicsize = sizeof(Cursor),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = cursor_slots,
};

static PyType_Spec walk_spec = {
    .name = "manjha.strategy._reader.Walk",
    .basicsize = sizeof(Walk),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = walk_slots,
};

/* ---- the reader */

typedef struct {
    PyObject_HEAD
    Cursor *cursor;     /* shared by the whole run */
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
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO!|OO", names, &data, cursor_type, &cursor, &rows, &basis))
        return -1;
    release(self);
    if (take(data, &self->data, 'd', "data") < 0 || take(rows, &self->rows, 'l', "rows") < 0
        || take(basis, &self->basis, 'd', "basis") < 0) {
        release(self);
        return -1;
    }
    Py_INCREF(cursor);
    self->cursor = (Cursor *)cursor;
    return 0;
}

static void
reader_dealloc(PyObject *object)
{
    release((Reader *)object);
    give_back(object);
}

/* The row that closed last, -1 before the first, -2 with an error set. */
static Py_ssize_t
last_row(Reader *self)
{
    if (self->cursor == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a line without data");
        return -2;
    }
    Py_ssize_t position = self->cursor->at;
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

static PyObject *
reader_subscript(PyObject *object, PyObject *key)
{
    Reader *self = (Reader *)object;
    Py_ssize_t ago = key == minus_one ? -1 : PyNumber_AsSsize_t(key, NULL);
    if (ago == -1 && key != minus_one && PyErr_Occurred()) return NULL;
    if (ago >= 0) return PyObject_CallMethod(object, "refuse", "O", key);
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
    .m_doc = "Reads of lines and the cursor, compiled.",
    .m_size = 0,
};

PyMODINIT_FUNC
PyInit__reader(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL) return NULL;
    if (minus_one == NULL) minus_one = PyLong_FromLong(-1);
    PyObject *reader_type = PyType_FromSpec(&spec);
    if (cursor_type == NULL) cursor_type = PyType_FromSpec(&cursor_spec);
    if (walk_type == NULL) walk_type = PyType_FromSpec(&walk_spec);
    if (reader_type == NULL || cursor_type == NULL || walk_type == NULL
        || PyModule_AddObjectRef(made, "Reader", reader_type) < 0
        || PyModule_AddObjectRef(made, "Cursor", cursor_type) < 0) {
        Py_XDECREF(reader_type);
        Py_DECREF(made);
        return NULL;
    }
    Py_DECREF(reader_type);
    return made;
}
