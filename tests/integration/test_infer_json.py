#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_infer_json.py INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE EXPAND-TREE BACKENDS-DIR SCHEMA-DIR MODEL LLAMA-TOOLS

Runs each command with --json as it succeeds, fails in part and fails, over a real server, and holds each line against the schema of
the command: a field that is not described fails, and so does a description of what is never printed. MODEL-FILE and EXPAND-TREE
are the programs that write models and machines, BACKENDS-DIR has backends for tests, LLAMA-TOOLS a llama-server with Vulkan. Prints "ok NAME" or "not ok NAME" for each
test; fails if one did.

Started by the interpreter that Debian's python3-jsonschema belongs to."""
import fcntl, json, os, pty, re, shutil, signal, struct, subprocess, sys, tempfile, termios, time, traceback, types

try:
    import jsonschema
except ImportError:
    sys.exit(f'{sys.executable} has no jsonschema (Debian: python3-jsonschema)')

tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f'{tests}/abi')
import schema

LIMIT_S = 60
infer, plugins, server, write, expand, backends, folder, austen, tools = (os.path.abspath(path) for path in sys.argv[1:10])
tmp = tempfile.mkdtemp()
environment = {key: value for key, value in os.environ.items()
               if not re.match('XDG_|INF_(?!PROBE)|LLAMA|HF_|HUGGINGFACE|NO_COLOR|COLUMNS|LC_|LANG|ROC|HIP|HSA|CUDA', key)}
environment.update(HOME=f'{tmp}/home', TMPDIR=tmp, LC_ALL='C', TERM='xterm',
                   ASAN_OPTIONS=os.environ.get('ASAN_OPTIONS', '') + ':intercept_tls_get_addr=0')
schemas = schema.Schemas(folder)

# What no test here can make infer print, and why: FILE.DEFINITION.FIELD TYPE.
NEVER_SEEN = {
    'common.error.reason null': 'all backends here give a reason',
    'devices.device.product null': 'each has at least a name that says who made it',
    'bench.report.system null': 'uname() does not fail',
    'classify.score.logprob null': 'no model here finds a token as good as impossible',
    'embed.vector.tokens null': 'llama-server tells how many there are',
    'rerank.rank.tokens null': 'llama-server tells how many there are',
}


# ---- holding a line against a schema ----

class Judge:
    def __init__(self):
        self.validators = {key: jsonschema.Draft202012Validator(schemas.whole(key[0], {'$ref': f'#/$defs/{key[1]}'}, closed=True))
                           for key in schemas.defs}
        self.kinds, self.seen = set(), set()

    def take(self, command, line):
        """The name of the kind of line that it is."""
        kinds = schemas.kinds(command)
        faults = {key: list(self.validators[key].iter_errors(line)) for key in kinds}
        fitting = [key for key in kinds if not faults[key]]
        if not fitting:
            near = min(kinds, key=lambda key: len(faults[key]))
            said = '; '.join(f'{error.json_path}: {error.message[-200:]}' for error in faults[near][:3])
            raise AssertionError(f'{command}: a line is no {near[1]}: {said}: {json.dumps(line)[:500]}')
        assert len(fitting) == 1, f'{command}: {json.dumps(line)[:500]} may be any of {fitting}'
        self.kinds.add((command, *fitting[0]))
        self.note(*fitting[0], line)
        return fitting[0][1]

    def note(self, file, name, value):
        for field, inner in value.items():
            node = schemas.defs[file, name]['properties'][field]
            self.note_value(f'{file}.{name}.{field}', file, node, inner)

    def note_value(self, key, file, node, value):
        if '$ref' in node:
            target_file, name = schemas.target(file, node['$ref'])
            if isinstance(value, dict):
                self.note(target_file, name, value)
            file, node = schemas.follow(file, node)
        kind = {dict: 'object', list: 'array', str: 'string', bool: 'boolean', float: 'number', type(None): 'null'}.get(type(value), 'integer')
        self.seen.add(f"{key} {'number' if kind == 'integer' and 'number' in schema.types_of(node) else kind}")
        for item in value if kind == 'array' else ():
            self.note_value(f'{key}[]', file, node['items'], item)


judge = Judge()


def described(key, file, node):
    """What a field may be, as Judge.seen has it."""
    file, node = schemas.follow(file, node)
    yield from (f'{key} {kind}' for kind in schema.types_of(node))
    if 'items' in node:
        yield from described(f'{key}[]', file, node['items'])


# ---- running ----

def parse(command, out):
    assert out.endswith('\n') or not out, out
    lines = [json.loads(line) for line in out.splitlines()]
    return [types.SimpleNamespace(kind=judge.take(command, line), line=line) for line in lines]


def run(command, *arguments, code=0, text='', words=None, **more):
    """The lines of infer COMMAND ARGUMENT... --json."""
    done = subprocess.run([infer, *([command] if words is None else words), *arguments, '--json'], input=text, text=True,
                          capture_output=True, timeout=LIMIT_S, env={**environment, **more})
    assert done.returncode == code, f'exit status {done.returncode}, not {code}: {done.stdout[-500:]}{done.stderr[-500:]}'
    return parse(command, done.stdout)


def kinds_of(lines):
    return [line.kind for line in lines]


def fails(command, status, *arguments, code, **more):
    """The only line is a failure, of that status."""
    lines = run(command, *arguments, code=code, **more)
    assert kinds_of(lines) == ['failure'] and lines[0].line['error']['status'] == status, [line.line for line in lines]


def make(*arguments):
    subprocess.run([write, *arguments], check=True)


def put(name, text):
    with open(f'{tmp}/{name}', 'w', encoding='utf-8') as file:
        file.write(text)
    return f'{tmp}/{name}'


def model(name):
    path = f'{tmp}/made/{name}.gguf'
    if not os.path.exists(path):
        make('made', name, path)
    return path


def machine(number, program=server):
    """Arguments for a machine of tests/fixtures/amdgpu."""
    at = f'{tmp}/machine-{number}'
    if not os.path.exists(at):
        tree, = (name for name in os.listdir(f'{tests}/fixtures/amdgpu') if name.startswith(number) and name.endswith('.tree'))
        os.mkdir(at)
        subprocess.run([expand, f'{tests}/fixtures/amdgpu/{tree}', at], check=True)
    return ['--plugin-dir', plugins, '--set', f'llama-server.path={program}', '--set', f'rocm.sysroot={at}']


for name in ('home', 'made', 'none', 'many', 'odd', 'one'):
    os.mkdir(f'{tmp}/{name}')
here = machine('09')
cpu = [*here, '--backend', 'llama_cpp', '--temperature', '0']
nowhere = ['--plugin-dir', f'{tmp}/none']
for name in ('echo', 'ctor_crash', 'shelf'):
    shutil.copy(f'{backends}/{name}.so', f'{tmp}/one' if name == 'echo' else f'{tmp}/odd')
put('odd/text.so', 'no plugin')


# ---- help and version ----

def help_of_all_and_of_one():
    lines = run('help') + run('help', 'generate') + run('help', words=['generate', '--help']) + run('help', words=['--help'])
    everything, one, same, other = (line.line for line in lines)
    assert one == same and everything == other and [command['name'] for command in one['commands']] == ['generate'], one
    assert {option['name'] for option in one['options']} < {option['name'] for option in everything['options']}
    fails('help', 'usage', 'nothing', code=2)
    fails('help', 'usage', '--man', code=2)


def version_of_program_and_library():
    run('version', words=['--version'])
    fails('version', 'usage', words=['--version', '--nothing'], code=2)


def every_command_has_a_schema_and_takes_json():
    everything = run('help')[0].line
    commands = {command['name'] for command in everything['commands']}
    missing = sorted(commands - set(schemas.files))
    assert not missing, f'sample-host/schema lacks {", ".join(missing)}: describe what it prints with --json'
    assert set(schemas.commands) - commands == {'version'}, f'no command prints {set(schemas.commands) - commands}'
    option, = (option for option in everything['options'] if option['name'] == 'json')
    assert commands == set(option['commands']), f'no --json: {commands - set(option["commands"])}'


# ---- what there is ----

def backends_of_every_state():
    assert run('backends', *here)[0].line['selected'] == 'llama_cpp'
    run('backends', '--plugin-dir', f'{tmp}/odd', code=3)
    run('backends', *nowhere, code=3)
    fails('backends', 'usage', *nowhere, '--set', 'nonsense', code=2)


def configuration_from_everywhere():
    os.makedirs(f'{tmp}/config', exist_ok=True)
    file = put('config/infer.conf', '[defaults]\ntemperature = 0\n[chat]\nset.threads = 1\n')
    rows = {row['key']: row for row in run('config', 'chat', '--config', file, '--top-k', '3', INF_MODELS='/m')[0].line['options']}
    assert [rows[key]['from'] for key in ('top-p', 'temperature', '$INF_MODELS', 'top-k')] == ['default', 'file', 'environment', 'command_line']
    assert rows['set.threads']['section'] == 'chat' and rows['set.threads']['line'] == 4, rows['set.threads']
    assert run('config', HOME='')[0].line['path'] is None
    assert kinds_of(run('config', '--path') + run('config', '--path', HOME='')) == ['place', 'place']
    put('config/infer.conf', 'nonsense')
    fails('config', 'usage', '--config', file, code=2)


def devices_of_machines():
    for number in ('01', '05', '07', '22', '24', '09'):
        run('devices', *machine(number))
    for folder, _, names in os.walk(f'{tmp}/machine-05/sys'):       # what is not told is not known
        for name in names:
            if name.startswith('mem_info') or '/mem_banks/' in folder:
                os.remove(f'{folder}/{name}')
    assert not run('devices', *machine('05'))[0].line['devices'][0]['memory_total_bytes']
    run('devices', *machine('09', f'{tools}/bin/llama-server'), '--set', 'vulkan.allow-cpu-device=true',
        VK_DRIVER_FILES=f'{tools}/root/usr/share/vulkan/icd.d/lvp_icd.json')
    fails('devices', 'not_found', *here, '--backend', 'nope', code=3)


def doctor_of_machines():
    run('doctor', *here)
    assert not run('doctor', *machine('01'), code=3)[0].line['verdict']['usable']
    run('doctor', *nowhere, code=3)
    fails('doctor', 'usage', '--plugin-dir', f'{tmp}/nowhere', code=2)


def models_of_every_kind():
    hub = f'{tmp}/home/.cache/huggingface/hub/models--Jane--Counter-GGUF/snapshots/0123456789abcdef0123456789abcdef01234567'
    os.makedirs(hub)
    shutil.copy(model('counter'), f'{hub}/counter-hub.gguf')
    for shape in ('llama-3.1-8b-q4_k_m', 'gemma-3-4b-q4_k_m', 'gpt-oss-20b-mxfp4'):
        make('shape', shape, f'{tmp}/many/{shape}.gguf')
    make('small', 'adapter', 'llama', f'{tmp}/many/lora.gguf')
    shutil.copy(model('thinker'), f'{tmp}/many')
    shutil.copy(austen, f'{tmp}/many')
    put('many/broken.gguf', 'no model')
    os.symlink('nowhere', f'{tmp}/many/gone.gguf')
    run('models', *here)
    assert any('error' in found for found in run('models', *here, '--all', f'{tmp}/many')[0].line['models'])
    fails('models', 'usage', *here, f'{tmp}/nowhere', code=2)
    fails('models', 'unsupported', *nowhere, code=1)


def inspection_with_and_without_devices():
    large = f'{tmp}/many/llama-3.1-8b-q4_k_m.gguf'
    run('inspect', *here, model('counter'))
    run('inspect', *here, large, '--vram', '16G', '--vram', '1G')
    assert run('inspect', *machine('01'), '--backend', 'rocm', large, '--fit')[0].line['fit']
    fails('inspect', 'not_found', *here, f'{tmp}/none.gguf', code=1)
    fails('inspect', 'bad_model', *here, f'{tmp}/many/lora.gguf', '--vram', '16G', code=1)


# ---- text ----

def is_stream(lines):
    return kinds_of(lines) == ['token'] * (len(lines) - 1) + ['outcome']


def generation_that_ends_in_every_way():
    counter = [*cpu, '-m', model('counter')]
    for more in (['-n', '5'], ['--stop', ' four'], ['-n', '1']):
        assert is_stream(run('generate', *counter, *more, 'go'))
    assert is_stream(run('generate', *cpu, '-m', model('emoji-cut'), 'go'))
    assert is_stream(run('generate', '--plugin-dir', f'{tmp}/one', '-m', model('counter'), 'go'))
    fails('generate', 'not_found', *cpu, '-m', f'{tmp}/none.gguf', 'go', code=1)
    fails('generate', 'usage', *cpu, 'go', code=2)
    fails('generate', 'unavailable', *nowhere, '-m', model('counter'), 'go', code=3)


def generation_on_a_card():
    """A stand-in for a server with ROCm, see tests/support/rocm-server."""
    card = machine('01', f'{tmp}/machine-01/llama-server')
    os.symlink(f'{tests}/support/rocm-server', f'{tmp}/machine-01/llama-server')
    put('machine-01/real', server)
    put('machine-01/gpus', 'GPU-880ed6479d653a85 gfx1101 16368 0000:03:00.0 AMD Radeon RX 7800 XT\n'
        '- gfx1036 61925 0000:0e:00.0 AMD Radeon Graphics\n')
    lines = run('generate', *card, '--backend', 'rocm', '-m', model('counter'), '-n', '3', 'go')
    assert lines[-1].line['device_bytes'] and lines[-1].line['gpu_layers'], lines[-1]


def generation_cut_before_it_began():
    """It waits for its text, which it has begun to read."""
    process = subprocess.Popen([infer, 'generate', *cpu, '-m', model('counter'), '--json'], env=environment, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write('go')
    process.stdin.flush()
    end = time.monotonic() + LIMIT_S
    while struct.unpack('i', fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]:
        assert time.monotonic() < end, 'nobody reads'
    process.send_signal(signal.SIGINT)
    lines = parse('generate', process.stdout.read())
    assert process.wait(LIMIT_S) == 130 and kinds_of(lines) == ['outcome'] and lines[0].line['finish'] == 'cancelled', lines
    process.stdin.close()


def chat_with_thoughts_and_tools():
    tools = put('tools.json', json.dumps([{'type': 'function', 'function': {'name': 'get_weather', 'description': 'The weather', 'parameters': {
        'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}}}]))
    assert is_stream(run('chat', *cpu, '-m', model('thinker'), '--think', 'on', 'Well?'))
    assert is_stream(run('chat', *cpu, '-m', model('toolcaller'), '--tools', tools, 'Weather?'))
    fails('chat', 'invalid', *cpu, '-m', model('toolcaller'), '--tools', put('broken.json', '{'), 'Weather?', code=1)
    fails('chat', 'usage', *cpu, 'Hello', code=2)


def run_by_name_and_by_path():
    assert is_stream(run('run', *cpu, '-n', '3', model('counter'), 'go'))
    models = {'INF_MODELS': f'{tmp}/made'}
    assert is_stream(run('run', *cpu, '-n', '3', 'counter', 'go', **models))
    model('thinker')
    fails('run', 'usage', *cpu, code=2, **models)
    fails('run', 'not_found', *cpu, 'no-such-model', 'go', code=1, **models)
    fails('run', 'usage', *cpu, '--no-such-option', code=2)


def chat_that_goes_on_after_a_failure():
    master, slave = pty.openpty()
    process = subprocess.Popen([infer, 'chat', *cpu, '-m', model('counter'), '-n', '3', '--json'], env=environment, text=True,
                               stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.close(slave)
    os.write(master, b'hello\n/set temperature hot\nhello\n/quit\n')
    lines = parse('chat', process.stdout.read())
    os.close(master)
    assert process.wait(LIMIT_S) == 0 and kinds_of(lines) == [*['token'] * 3, 'outcome', 'failure', *['token'] * 3, 'outcome'], kinds_of(lines)


def batch_whose_lines_fail():
    lines = put('lines', '{"id":1,"prompt":"go"}\n{"messages":[{"role":"user","content":"go"}],"max_tokens":3}\n{"wrong":1}\nnonsense\n')
    got = run('batch', *cpu, '-m', model('counter'), '-n', '5', '-f', lines, code=1)
    assert kinds_of(got) == ['answer', 'answer', 'failed', 'failed', 'failure'], kinds_of(got)
    tools = [{'type': 'function', 'function': {'name': 'get_weather', 'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}}}]
    run('batch', *cpu, '-m', model('thinker'), text='{"messages":[{"role":"user","content":"go"}]}\n')
    run('batch', *cpu, '-m', model('toolcaller'), text=json.dumps({'messages': [{'role': 'user', 'content': 'go'}], 'tools': tools}) + '\n')
    assert run('batch', *cpu, '-m', model('counter'), '-n', '5', '-o', f'{tmp}/records', text='{"prompt":"go"}\n') == []
    with open(f'{tmp}/records', encoding='utf-8') as records:
        assert kinds_of(parse('batch', records.read())) == ['answer']
    fails('batch', 'usage', *cpu, '-m', model('counter'), '-o', f'{tmp}/records', text='{"prompt":"go"}\n', code=2)


# ---- tokens, vectors, ranks ----

def tokens_and_their_text():
    counter = [*here, '--backend', 'llama_cpp', '-m', model('counter')]
    assert set(kinds_of(run('tokenize', *counter, '--bos', ' one two'))) == {'token'}
    assert kinds_of(run('tokenize', *counter, '--decode', '259 260')) == ['decoded']
    fails('tokenize', 'usage', *counter, '--decode', 'x', code=2)


def classes_of_which_some_fail():
    assert kinds_of(run('classify', *cpu, '-m', model('markov'), '--top', '3', '--candidates', '259,260', 'go', ' yes')) == ['next'] * 2
    assert kinds_of(run('classify', *cpu, '-m', model('markov'), '-c', '256', 'go', 'go ' * 400, code=1)) == ['next', 'failed', 'failure']
    run('classify', *cpu, '-m', model('markov'), '--suppress-token', '262', '--candidates', '262,259', 'go')
    assert kinds_of(run('classify', '--plugin-dir', f'{tmp}/one', '-m', model('markov'), 'go')) == ['next']
    fails('classify', 'usage', *cpu, 'go', code=2)


def vectors_of_texts():
    texts = [*here, '--backend', 'llama_cpp', '-m', model('embedder')]
    assert kinds_of(run('embed', *texts, 'cat', 'dog sees')) == ['vector'] * 2
    fails('embed', 'context_full', *texts, 'cat ' * 5000, code=1)


def ranks_of_documents():
    texts = [*here, '--backend', 'llama_cpp', '-m', model('ranker')]
    assert kinds_of(run('rerank', *texts, '--query', 'panda', 'cat', 'a panda')) == ['rank'] * 2
    fails('rerank', 'usage', *texts, 'cat', code=2)


# ---- measuring ----

def bench_and_what_changed():
    small = [*here, '--backend', 'llama_cpp', '-m', model('counter'), '--prompt-tokens', '4', '--gen-tokens', '4', '--repetitions', '1']
    report = run('bench', *small, '--streams', '1,2')[0].line
    swept = run('bench', *small, '--streams', '2', '--sweep', 'cache_mode=f16,nonsense', code=1)[0].line
    assert not run('bench', *small, '--sweep', 'cache_mode=nonsense', code=1)[0].line['backend']
    before, after, other = put('a.json', json.dumps(report)), put('b.json', json.dumps({**report, 'cpus': 9999})), put('c.json', json.dumps(swept))
    for pair in ((before, before), (before, after), (other, other)):
        assert kinds_of(run('bench', '--compare', *pair)) == ['comparison']
    fails('bench', 'usage', *small, '--csv', code=2)
    fails('bench', 'invalid', '--compare', before, put('d.json', '{}'), code=1)


# ---- what was seen of what is described ----

def every_kind_of_line_was_seen():
    missing = [f'{command}: {name}' for command in schemas.commands for file, name in schemas.kinds(command)
               if (command, file, name) not in judge.kinds]
    assert not missing, f'never printed: {", ".join(missing)}'


def every_field_and_type_was_seen():
    missing = [text for file, name, field, node, _ in schemas.fields() for text in described(f'{file}.{name}.{field}', file, node)
               if text not in judge.seen]
    lies = [text for text in missing if text not in NEVER_SEEN]
    assert not lies, f'described and never printed: {", ".join(lies)}'
    assert set(NEVER_SEEN) <= set(missing), f'seen after all: {", ".join(set(NEVER_SEEN) - set(missing))}'


def schemas_are_open_and_valid_as_they_are():
    """As README.md says it is done."""
    line = put('line', json.dumps({**run('version', words=['--version'])[0].line, 'later': 1}))
    for root in schemas.files.values():
        jsonschema.Draft202012Validator.check_schema(root)
    command = [sys.executable, '-W', 'ignore', '-m', 'jsonschema', '--base-uri', f'file://{folder}/', '-i']
    subprocess.run([*command, line, f'{folder}/version.json'], check=True)
    wrong = put('wrong', '{"infer":1}')
    assert subprocess.run([*command, wrong, f'{folder}/version.json'], capture_output=True).returncode
    failure = put('failure', json.dumps(run('chat', *cpu, 'x', code=2)[0].line))
    subprocess.run([*command, failure, f'{folder}/chat.json'], check=True)


failed = 0
try:
    for name, test in [(name, value) for name, value in list(globals().items()) if isinstance(value, types.FunctionType)
                       and value.__module__ == '__main__' and value.__code__.co_argcount == 0 and '_' in name]:
        try:
            test()
            print(f'ok {name}', flush=True)
        except Exception as error:
            failed += 1
            print(f'not ok {name}', *(f'#   {line}' for line in traceback.format_exc().splitlines()[-6:]), sep='\n', flush=True)
finally:
    shutil.rmtree(tmp, ignore_errors=True)
sys.exit(bool(failed))
