/** The scripts that have a shell complete this program: each asks it what may stand at the cursor. */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What the scripts call it by. */
export const COMPLETE = "__complete";

const BASH = `# Completion of backpressure for bash: source <(backpressure completion bash)
_backpressure() {
  local line word cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
      :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
      :commands) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
      *) word="\${line%%$'\\t'*}"; COMPREPLY+=("$(printf %q "$word")") ;;
    esac
  done < <("\${COMP_WORDS[0]}" ${COMPLETE} --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _backpressure backpressure
`;

const ZSH = `#compdef backpressure
# Completion of backpressure for zsh: source <(backpressure completion zsh), after compinit
_backpressure() {
  local line
  local -a described
  for line in "\${(@f)$("\${words[1]}" ${COMPLETE} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      '') ;;
      :files) _files; return ;;
      :folders) _files -/; return ;;
      :commands) _command_names -e; return ;;
      *) described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  _describe backpressure described
}
if [ "$funcstack[1]" = "_backpressure" ]; then _backpressure "$@"; else compdef _backpressure backpressure; fi
`;

const FISH = `# Completion of backpressure for fish: backpressure completion fish | source
function __backpressure_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] ${COMPLETE} $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$current"
      case ':folders'
        __fish_complete_directories "$current"
      case ':commands'
        complete -C "$current"
      case '*'
        echo $line
    end
  end
end
complete -c backpressure -f -a '(__backpressure_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
