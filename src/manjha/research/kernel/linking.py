"""How inner functions of the kernel are compiled: to code that is linked into their callers, and to nothing else.

numba gives each function its own machine code, with all that it calls optimised into it again. The kernel is some two
hundred small functions twelve deep, of which Python calls one: as its own machine code for each they took a minute to
compile. Here an inner function stops at linkable code; the entry is optimised and made machine code once.
"""

from typing import Any

from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import register_pass
from numba.core.funcdesc import PythonFunctionDescriptor
from numba.core.typed_passes import NativeLowering


class LinkedOnly(JITCodeLibrary):
    """Code that is only ever linked into other code."""

    def _optimize_final_module(self) -> None:
        """Leave it to whom it is linked into."""

    def _finalize_final_module(self) -> None:
        """Be ready to be linked, without machine code."""
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class InnerLowering(NativeLowering):
    """Lower to linkable code."""

    _name = "inner_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a typed function and register it for its callers."""
        context = state.targetctx
        library = state.library = LinkedOnly(context.codegen(), state.func_id.func_qualname)
        described = PythonFunctionDescriptor.from_specialized_function(
            state.func_ir,
            state.typemap,
            state.return_type,
            state.calltypes,
            mangler=context.mangler,
            inline=state.flags.forceinline,
            noalias=state.flags.noalias,
            abi_tags=[state.flags.get_mangle_string()],
        )
        with context.push_code_library(library):
            lower = self.lowering_class(context, library, described, state.func_ir, metadata=state.metadata)
            lower.lower()
        # numba knows compiled functions by a built-in callable; this one is never called.
        name: list[None] = []
        context.insert_user_function(name.append, described, [library])
        state["cr"] = _LowerResult(described, lower.call_helper, cfunc=name.append, env=lower.env)
        return True


class InnerCompiler(CompilerBase):
    """numba's usual passes with `InnerLowering` at the end."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state, "inner")
        passes.passes = [(InnerLowering, text) if one is NativeLowering else (one, text) for one, text in passes.passes]
        passes._finalized = False  # noqa: SLF001 - passes may be replaced before it is used
        passes.finalize()
        return [passes]


def without_literals(dispatcher: Any) -> Any:
    """Return a compiled function that is compiled once for integers, not once more for each constant it is given.

    numba types a constant argument as itself, and so gave half of the kernel two to five copies.
    """
    template = dispatcher.get_call_template

    def plain(args: Any, kws: Any) -> Any:
        return template(
            tuple(types.unliteral(each) for each in args), {name: types.unliteral(each) for name, each in kws.items()}
        )

    dispatcher.get_call_template = plain
    return dispatcher
