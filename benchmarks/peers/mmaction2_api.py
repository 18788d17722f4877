"""What the scripts of this folder need to import mmaction2 1.2.0."""
import sys
import types


def import_mmaction2():
    """mmaction2's package. Its wheel lacks a module, of a localiser, that the package imports."""
    name = 'mmaction.models.localizers.drn'
    for absent in (name, f'{name}.drn'):
        sys.modules.setdefault(absent, types.ModuleType(absent))
    sys.modules[f'{name}.drn'].DRN = object
    import mmaction
    return mmaction
